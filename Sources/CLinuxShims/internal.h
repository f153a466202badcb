// Between the files of this target only.
#pragma once
// What this process changed of what it inherited, for whatever it starts. Async-signal-safe: it also runs between vfork and exec.
void shim_restore_inherited(void);
// Takes the signals of faults out of a sigset_t: a thread that blocks them ends the process before anything is said.
void shim_unblock_faults(void *set);
