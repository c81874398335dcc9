"""Which system calls a container may make unless somebody says otherwise: the allow-list. Pure.

The built-in list admits what programs of all kinds need and leaves out what reaches beyond a
container: loading modules, mounting, foreign processes' memory, the clock, namespaces, kernel
tracing, io_uring. A capability that a container was given opens the calls that need it.

Spec: runtime-spec v1.0.2, config-linux.md, Seccomp.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from naru.oci.runtime_spec import Json

_ALLOW: Final = "SCMP_ACT_ALLOW"
_DENY: Final = "SCMP_ACT_ERRNO"
_EPERM: Final = 1
_ENOSYS: Final = 38

ALLOWED: Final = frozenset(
    """
    _llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget capset
    chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
    clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range
    connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
    epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve
    execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark
    fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr
    flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
    ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
    futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
    getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername
    getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32 getresuid
    getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid
    getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
    io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit
    ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr listxattrat
    llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier
    memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap
    mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64
    mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync
    munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause
    pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
    ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
    pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv
    recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename
    renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask
    rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
    rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity
    sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
    sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
    semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list
    set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32
    setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid
    setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
    setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd
    signalfd4 sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64
    statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
    timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
    timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times
    tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat
    utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
    """.split()
)

# Calls that one capability opens.
BY_CAPABILITY: Final[Mapping[str, str]] = {
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_ADMIN": (
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie"
        " lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount"
        " open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount"
        " syslog umount umount2 unshare"
    ),
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": (
        "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"
    ),
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime clock_settime64 settimeofday stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}
# Since 4.8 a tracer cannot slip past the filter of what it traces.
_SAFE_TRACING_KERNEL: Final = (4, 8)
_TRACING: Final = "process_vm_readv process_vm_writev ptrace"

# machine -> the calls that only it has, and its architectures, its own first.
_MACHINES: Final[Mapping[str, tuple[str, str]]] = {
    "x86_64": ("arch_prctl modify_ldt", "X86_64 X86 X32"),
    "aarch64": (
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
        "AARCH64 ARM",
    ),
    "armv7l": (
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
        "ARM",
    ),
    "ppc64le": ("swapcontext sync_file_range2", "PPC64LE"),
    "riscv64": ("riscv_flush_icache riscv_hwprobe", "RISCV64"),
    "s390x": ("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", "S390X S390"),
}
# Go's names of machines, which profiles use, by ours.
GO_NAMES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}

# personality(2) may change nothing, or choose between Linux, 32 bits and both with a fixed layout.
_PERSONALITIES: Final = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
# The CLONE_NEW* flags: no new namespaces without CAP_SYS_ADMIN.
_NAMESPACE_FLAGS: Final = 0x7E020000
_AF_VSOCK: Final = 40


def default_filter(
    machine: str, kernel: tuple[int, int], capabilities: Iterable[str]
) -> Json | None:
    """Return the built-in filter for a machine; None for one that it does not know."""
    if machine not in _MACHINES:
        return None
    own_calls = _MACHINES[machine][0]
    held = set(capabilities)
    names = set(ALLOWED) | set(own_calls.split())
    if kernel >= _SAFE_TRACING_KERNEL:
        names |= set(_TRACING.split())
    for capability, calls in BY_CAPABILITY.items():
        if capability in held:
            names |= set(calls.split())
    rules: list[Json] = [_rule(sorted(names))]
    rules.append(_rule(["socket"], _argument(0, _AF_VSOCK, "SCMP_CMP_NE")))
    rules += [
        _rule(["personality"], _argument(0, value, "SCMP_CMP_EQ")) for value in _PERSONALITIES
    ]
    if "CAP_SYS_ADMIN" not in held:
        # s390 passes the flags second.
        flags = {
            **_argument(1 if machine == "s390x" else 0, _NAMESPACE_FLAGS, "SCMP_CMP_MASKED_EQ")
        }
        rules.append(_rule(["clone"], {**flags, "valueTwo": 0}))
        # A filter cannot see clone3's flags; on ENOSYS the C library falls back to clone.
        rules.append({"names": ["clone3"], "action": _DENY, "errnoRet": _ENOSYS})
    return {
        "defaultAction": _DENY,
        "defaultErrnoRet": _EPERM,
        "architectures": architectures_of(machine),
        "syscalls": rules,
    }


def _rule(names: list[str], argument: Json | None = None) -> Json:
    rule: Json = {"names": names, "action": _ALLOW}
    if argument is not None:
        rule["args"] = [argument]
    return rule


def _argument(index: int, value: int, operator: str) -> Json:
    return {"index": index, "value": value, "op": operator}


def architectures_of(machine: str) -> list[str]:
    """Return the architectures of a machine, its own first; none for one that is not known."""
    return [f"SCMP_ARCH_{name}" for name in _MACHINES.get(machine, ("", ""))[1].split()]
