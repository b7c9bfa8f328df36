/*
 * Loaded into User-Mode Linux by tests/lab/run, so that it starts on processors with AMX.
 *
 * UML 6.1 keeps a guest process's extended registers in 2696 bytes (x87 to PKRU) and writes them
 * back with ptrace(PTRACE_SETREGSET, NT_X86_XSTATE). The host's kernel takes such a write only in
 * the processor's full size, which AMX's tiles raise to some 11 kB; UML then dies with "ptrace set
 * fp regs failed, errno = 14". Reading is not affected: a short buffer is filled as far as it goes.
 *
 * So a short write is padded here. The tiles are absent from the padded image, which is right:
 * a process that has not asked for AMX by arch_prctl cannot have used them.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* Offset of the bit set of present components (XSTATE_BV), and the bits of AMX in it. */
#define PRESENT 512
#define AMX (3ULL << 17)

static unsigned char full[65536]; /* static: UML's own stacks are 16 kB */
static size_t full_size;

static long padded(pid_t pid, const struct iovec *part)
{
    unsigned long long present;
    struct iovec whole = { full, sizeof full };

    if (!full_size) {
        if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole))
            return -1;
        full_size = whole.iov_len;
    }
    if (part->iov_len < PRESENT + sizeof present || part->iov_len > full_size) {
        errno = EFAULT;
        return -1;
    }
    memcpy(full, part->iov_base, part->iov_len);
    memset(full + part->iov_len, 0, full_size - part->iov_len);
    memcpy(&present, full + PRESENT, sizeof present);
    present &= ~AMX;
    memcpy(full + PRESENT, &present, sizeof present);
    whole.iov_len = full_size;
    return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

/* Takes the place of the C library's ptrace. */
long ptrace(enum __ptrace_request request, ...)
{
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *);
    void *data = va_arg(rest, void *);
    va_end(rest);

    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        /* The system call stores the word; the library's function returns it. */
        long word;
        if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
            return -1;
        errno = 0;
        return word;
    }
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        if (!full_size) {
            long done = syscall(SYS_ptrace, request, pid, address, data);
            if (done == 0 || errno != EFAULT)
                return done;
        }
        return padded(pid, data);
    }
    return syscall(SYS_ptrace, request, pid, address, data);
}
