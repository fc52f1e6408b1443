/* What generated code needs of <string.h>, for a compiler without the headers of a C library. */
#ifndef IMMUNESCAPE_STRING_H
#define IMMUNESCAPE_STRING_H
typedef __SIZE_TYPE__ size_t;
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
#endif
