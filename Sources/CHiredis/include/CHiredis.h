#pragma once

#include <stddef.h>
#include <stdint.h>

/* A narrow view of hiredis' asynchronous side: one connection in somebody else's event loop, commands as argument vectors, replies as trees.
   The library's own headers are used in the .c files only, so that no importer depends on where a system keeps them or on their version. */

typedef struct chiredis_connection chiredis_connection;
typedef struct chiredis_reply chiredis_reply;

/* What a connection says. Nothing is called from within chiredis_connect_…, chiredis_command or chiredis_subscribe but `interest`. */
typedef struct {
  void *_Nullable context;
  /* What the descriptor is to be watched for from now on. Both 0 = not at all: it may be closed next. */
  void (*_Nonnull interest)(void *_Nullable context, int32_t read, int32_t write);
  /* The connection stands; commands that were given before leave now. */
  void (*_Nonnull connected)(void *_Nullable context);
  /* One for each command, in order. The tree is valid during the call only. */
  void (*_Nonnull replied)(void *_Nullable context, const chiredis_reply *_Nonnull reply);
  /* Messages of subscribed channels, and the confirmations of subscriptions. */
  void (*_Nonnull pushed)(void *_Nullable context, const chiredis_reply *_Nonnull reply);
  /* The connection is gone by itself; it says nothing more, and no reply comes any more. chiredis_close is still to be called. */
  void (*_Nonnull closed)(void *_Nullable context, const char *_Nonnull reason);
} chiredis_events;

/* The values of hiredis. Everything newer than RESP2 is CHIREDIS_OTHER. */
enum chiredis_type {
  CHIREDIS_OTHER = 0,
  CHIREDIS_STRING = 1,
  CHIREDIS_ARRAY = 2,
  CHIREDIS_INTEGER = 3,
  CHIREDIS_NIL = 4,
  CHIREDIS_STATUS = 5,
  CHIREDIS_ERROR = 6
};

/* A server certificate is checked against the system's authorities and `tls_name` (NULL: no TLS). The address has to be numeric: a name
   would be looked up here and now. NULL: `error` says why. Never blocks. */
chiredis_connection *_Nullable chiredis_connect_tcp(
    const char *_Nonnull address, int32_t port, const char *_Nullable tls_name, const chiredis_events *_Nonnull events,
    char *_Nonnull error, size_t error_size);
chiredis_connection *_Nullable chiredis_connect_unix(
    const char *_Nonnull path, const chiredis_events *_Nonnull events, char *_Nonnull error, size_t error_size);

/* Ends the connection at once, without another call of `events`: the caller has stopped watching the descriptor. Allowed within a call of
   `events`. To be called exactly once. */
void chiredis_close(chiredis_connection *_Nonnull connection);

/* -1 once the connection is gone. */
int32_t chiredis_descriptor(const chiredis_connection *_Nonnull connection);

/* Reads and writes what is possible now. */
void chiredis_handle(chiredis_connection *_Nonnull connection, int32_t readable, int32_t writable);

/* Puts a command into the output buffer. 0, or -1 when the connection is gone or memory is short. */
int32_t chiredis_command(
    chiredis_connection *_Nonnull connection, int32_t count, const char *_Nullable const *_Nonnull arguments,
    const size_t *_Nonnull lengths);
/* SUBSCRIBE; may be repeated, and is confirmed each time. */
int32_t chiredis_subscribe(chiredis_connection *_Nonnull connection, const char *_Nonnull channel, size_t length);

int32_t chiredis_reply_type(const chiredis_reply *_Nonnull reply);
int64_t chiredis_reply_integer(const chiredis_reply *_Nonnull reply);
/* Of a string, status or error. Not terminated; any byte may occur in it. */
const char *_Nullable chiredis_reply_bytes(const chiredis_reply *_Nonnull reply, size_t *_Nonnull length);
size_t chiredis_reply_count(const chiredis_reply *_Nonnull reply);
const chiredis_reply *_Nullable chiredis_reply_element(const chiredis_reply *_Nonnull reply, size_t index);

/* "0.14.1". */
const char *_Nonnull chiredis_version(void);
/* 1 when this build knows TLS and its libraries are there. They are loaded by this call and not before. */
int32_t chiredis_has_tls(void);
