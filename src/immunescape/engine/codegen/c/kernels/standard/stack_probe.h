/* Windows gives a stack its pages one by one, each when the one before was touched. A function whose variables take
   more than a page therefore has its compiler call ___chkstk_ms first, with their size in rax; it touches each page and
   changes no register. Compiled by itself into libraries for Windows on x86-64, which have no compiler's library. */
__attribute__((naked)) void ___chkstk_ms(void)
{
    __asm__("pushq %rcx\n\t"
            "pushq %rax\n\t"
            "leaq 24(%rsp), %rcx\n" /* where the caller's stack ends: below two registers and the return address */
            "1:\n\t"
            "cmpq $4096, %rax\n\t"
            "jb 2f\n\t"
            "subq $4096, %rcx\n\t"
            "testq %rcx, (%rcx)\n\t"
            "subq $4096, %rax\n\t"
            "jmp 1b\n"
            "2:\n\t"
            "subq %rax, %rcx\n\t"
            "testq %rcx, (%rcx)\n\t"
            "popq %rax\n\t"
            "popq %rcx\n\t"
            "ret\n");
}
