/* One patient in each thread, as on a GPU: the code of one lane, with all that it works on in the thread's own memory.
 *
 * The same function serves both sides: compiled for NVIDIA's virtual processor (PTX) it is what a kernel's threads run,
 * compiled for this machine a loop takes the place of the threads. Included after driver.h, with W = 1. */
#ifndef THREADS_H
#define THREADS_H

#if W != 1
#error "a thread holds one patient"
#endif

/* Infused states of one job, at most; their rates lie behind the rest of a lane. */
#ifndef MOST_SLOTS
#define MOST_SLOTS 64
#endif

static NOINLINE void thread_of(const struct job *shared, int64_t id) {
    _Alignas(64) char room[sizeof(struct lanes) + sizeof(V) * MOST_SLOTS];
    int64_t next = id;
    struct job mine = *shared; /* a queue of its own, with one patient */
    mine.next = &next;
    mine.n = id + 1;
    integrate((struct lanes *)room, sizeof room, &mine);
}

#ifdef __NVPTX__
#if __has_attribute(device_kernel)
__attribute__((device_kernel))
#else
__attribute__((nvptx_kernel))
#endif
void immunescape_kernel(const struct job *job) {
    int64_t id = (int64_t)__nvvm_read_ptx_sreg_ctaid_x() * __nvvm_read_ptx_sreg_ntid_x() + __nvvm_read_ptx_sreg_tid_x();
    if (id < job->n) thread_of(job, id);
}
#else
int immunescape_threads(const struct job *job) {
    for (int64_t id = 0; id < job->n; id++) thread_of(job, id);
    return 0;
}
#endif

#endif
