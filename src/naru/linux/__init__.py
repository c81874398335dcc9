"""The kernel and programs: no other package of the daemon makes system calls or starts one."""
