#pragma once

struct redisContext;

/* Loads what is needed; 0 = this build or this machine has no TLS for hiredis. */
int tls_available(void);
/* Starts TLS on a context that connects. 0, or -1 with the reason in `error`. */
int tls_start(struct redisContext *context, const char *name, char *error, unsigned long error_size);
