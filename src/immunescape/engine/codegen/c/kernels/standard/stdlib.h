/* What generated code needs of <stdlib.h>, for a compiler without the headers of a C library. */
#ifndef IMMUNESCAPE_STDLIB_H
#define IMMUNESCAPE_STDLIB_H
typedef __SIZE_TYPE__ size_t;
#define NULL ((void *)0)
#ifdef _WIN32 /* aligned memory has functions of its own there; generated code allocates no other */
void *_aligned_malloc(size_t size, size_t alignment);
void _aligned_free(void *memory);
static inline void *aligned_alloc(size_t alignment, size_t size) { return _aligned_malloc(size, alignment); }
static inline void release(void *memory) { _aligned_free(memory); }
#define free release
#else
void *aligned_alloc(size_t alignment, size_t size);
void free(void *memory);
#endif
#endif
