/* Runs a program whose listening sockets may only ever be on loopback.
 *
 *   loopback_only PROGRAM [ARGUMENT...]
 *
 * Milvus 2.3 listens on every interface whatever its configuration says (net.Listen on ":port"), and Go makes its
 * system calls itself, so LD_PRELOAD can't reach them. Here the kernel is asked instead: a seccomp filter reports
 * each bind(2) of the program to a small helper process, which turns the wildcard address into loopback and lets
 * the call go on. All other calls pass the filter at full speed. Works as an ordinary user; needs Linux 5.5.
 *
 * The program keeps this process's id. The helper stays in the same process group and ends with the program.
 * This is no security boundary against the program itself: it only keeps a friendly one from being too friendly. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "loopback_only knows x86_64 and aarch64"
#endif

static void die(const char *what) {
    fprintf(stderr, "loopback_only: %s: %s\n", what, strerror(errno));
    exit(125);
}

static int install_filter(void) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_bind, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) die("no_new_privs");
    int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) die("this kernel or container does not allow a seccomp listener");
    return listener;
}

/* Rewrites a wildcard address at `where` in process `pid`. Returns 0, or an errno for the caller of bind. */
static int narrow(pid_t pid, unsigned long long where, unsigned long long length) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    memset(&address, 0, sizeof address);
    size_t size = length < sizeof address ? (size_t)length : sizeof address;
    struct iovec local = {&address, size}, remote = {(void *)(uintptr_t)where, size};
    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)size) return errno;
    if (address.any.sa_family == AF_INET && address.v4.sin_addr.s_addr == htonl(INADDR_ANY)) {
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else if (address.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&address.v6.sin6_addr)) {
        /* Go's wildcard socket speaks both families; the mapped form keeps 127.0.0.1 reachable. */
        inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.v6.sin6_addr);
    } else {
        return 0;
    }
    return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : errno;
}

static void serve(int listener) {
    struct pollfd wait = {listener, POLLIN, 0};
    for (;;) {
        if (poll(&wait, 1, -1) < 0 && errno != EINTR) return;
        if (wait.revents & (POLLHUP | POLLERR)) return; /* the last process under the filter has ended */
        if (!(wait.revents & POLLIN)) continue;
        struct seccomp_notif call;
        memset(&call, 0, sizeof call);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue; /* the caller was killed meanwhile */
        struct seccomp_notif_resp answer;
        memset(&answer, 0, sizeof answer);
        answer.id = call.id;
        answer.error = -narrow((pid_t)call.pid, call.data.args[1], call.data.args[2]);
        if (answer.error == 0) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
}

static void send_descriptor(int channel, int descriptor) {
    char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    if (sendmsg(channel, &message, 0) != 1) die("sendmsg");
}

static int receive_descriptor(int channel) {
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int descriptor = -1;
    if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
    return descriptor;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: loopback_only PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    int channel[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) die("socketpair");
    pid_t helper = fork();
    if (helper < 0) die("fork");
    if (helper == 0) {
        close(channel[0]);
        /* A polite stop goes to the program first; the helper follows when the program has ended. */
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        int listener = receive_descriptor(channel[1]);
        if (listener < 0) return 1;
        close(channel[1]);
        serve(listener);
        return 0;
    }
    close(channel[1]);
    prctl(PR_SET_PTRACER, helper, 0, 0, 0); /* only where Yama is in force; elsewhere it says EINVAL */
    int listener = install_filter();
    send_descriptor(channel[0], listener);
    close(listener);
    execvp(argv[1], argv + 1);
    die(argv[1]);
}
