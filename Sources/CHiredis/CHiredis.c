#include "CHiredis.h"

#include "tls.h"

#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct chiredis_connection {
  /* NULL once hiredis has freed it, which it does by itself after an error. */
  redisAsyncContext *async;
  chiredis_events events;
  int reads;
  int writes;
  /* How many calls of hiredis are on the stack: it must not be freed below them. */
  int depth;
  int closing;
  char reason[160];
};

static void say(chiredis_connection *connection) {
  if (!connection->closing) connection->events.interest(connection->events.context, connection->reads, connection->writes);
}

static void set_interest(chiredis_connection *connection, int reads, int writes) {
  if (connection->reads == reads && connection->writes == writes) return;
  connection->reads = reads;
  connection->writes = writes;
  say(connection);
}

static void add_read(void *data) { set_interest(data, 1, ((chiredis_connection *)data)->writes); }
static void del_read(void *data) { set_interest(data, 0, ((chiredis_connection *)data)->writes); }
static void add_write(void *data) { set_interest(data, ((chiredis_connection *)data)->reads, 1); }
static void del_write(void *data) { set_interest(data, ((chiredis_connection *)data)->reads, 0); }

/* hiredis calls this right before it closes the descriptor and frees the context, whatever the occasion. */
static void cleanup(void *data) {
  chiredis_connection *connection = data;
  const char *text = connection->async->errstr;
  if (text != NULL && text[0] != 0) snprintf(connection->reason, sizeof connection->reason, "%s", text);
  connection->reads = connection->writes = 0;
  say(connection);
  connection->async = NULL;
}

static void on_connect(const redisAsyncContext *async, int status) {
  chiredis_connection *connection = async->data;
  if (status == REDIS_OK && !connection->closing) connection->events.connected(connection->events.context);
}

static void on_reply(redisAsyncContext *async, void *reply, void *data) {
  (void)async;
  chiredis_connection *connection = data;
  /* Without a reply the connection is going down; `closed` says it for all. */
  if (reply != NULL && !connection->closing) connection->events.replied(connection->events.context, reply);
}

static void on_push(redisAsyncContext *async, void *reply, void *data) {
  (void)async;
  chiredis_connection *connection = data;
  if (reply != NULL && !connection->closing) connection->events.pushed(connection->events.context, reply);
}

static void enter(chiredis_connection *connection) { connection->depth += 1; }

/* The outermost call is over: what happened below it can take effect. */
static void leave(chiredis_connection *connection) {
  connection->depth -= 1;
  if (connection->depth > 0) return;
  if (connection->closing) {
    if (connection->async != NULL) redisAsyncFree(connection->async);
    free(connection);
  } else if (connection->async == NULL) {
    connection->events.closed(connection->events.context, connection->reason);
  }
}

static chiredis_connection *attach(
    redisAsyncContext *async, const char *tls_name, const chiredis_events *events, char *error, size_t error_size) {
  if (async == NULL || async->err != 0) {
    snprintf(error, error_size, "%s", async == NULL ? "out of memory" : async->errstr);
    if (async != NULL) redisAsyncFree(async);
    return NULL;
  }
  chiredis_connection *connection = calloc(1, sizeof *connection);
  if (connection == NULL || (tls_name != NULL && tls_start(&async->c, tls_name, error, error_size) != 0)) {
    if (connection == NULL) snprintf(error, error_size, "out of memory");
    free(connection);
    redisAsyncFree(async);
    return NULL;
  }
  fcntl(async->c.fd, F_SETFD, FD_CLOEXEC);
  connection->async = async;
  connection->events = *events;
  snprintf(connection->reason, sizeof connection->reason, "connection closed");
  async->data = connection;
  async->ev.data = connection;
  async->ev.addRead = add_read;
  async->ev.delRead = del_read;
  async->ev.addWrite = add_write;
  async->ev.delWrite = del_write;
  async->ev.cleanup = cleanup;
  /* This also asks for the first write event, the one that says whether the connection stands. The caller asks for interest itself, since
     it does not know the descriptor yet. */
  connection->closing = 1;
  redisAsyncSetConnectCallback(async, on_connect);
  connection->closing = 0;
  return connection;
}

chiredis_connection *chiredis_connect_tcp(
    const char *address, int32_t port, const char *tls_name, const chiredis_events *events, char *error, size_t error_size) {
  return attach(redisAsyncConnect(address, port), tls_name, events, error, error_size);
}

chiredis_connection *chiredis_connect_unix(const char *path, const chiredis_events *events, char *error, size_t error_size) {
  return attach(redisAsyncConnectUnix(path), NULL, events, error, error_size);
}

void chiredis_close(chiredis_connection *connection) {
  enter(connection);
  connection->closing = 1;
  leave(connection);
}

int32_t chiredis_descriptor(const chiredis_connection *connection) {
  return connection->async == NULL ? -1 : (int32_t)connection->async->c.fd;
}

void chiredis_handle(chiredis_connection *connection, int32_t readable, int32_t writable) {
  enter(connection);
  if (writable && connection->async != NULL) redisAsyncHandleWrite(connection->async);
  if (readable && connection->async != NULL && !connection->closing) redisAsyncHandleRead(connection->async);
  leave(connection);
}

int32_t chiredis_command(chiredis_connection *connection, int32_t count, const char *const *arguments, const size_t *lengths) {
  if (connection->async == NULL || connection->closing) return -1;
  return redisAsyncCommandArgv(connection->async, on_reply, connection, count, (const char **)arguments, lengths) == REDIS_OK ? 0 : -1;
}

int32_t chiredis_subscribe(chiredis_connection *connection, const char *channel, size_t length) {
  if (connection->async == NULL || connection->closing) return -1;
  const char *arguments[] = {"SUBSCRIBE", channel};
  const size_t lengths[] = {9, length};
  return redisAsyncCommandArgv(connection->async, on_push, connection, 2, arguments, lengths) == REDIS_OK ? 0 : -1;
}

static const redisReply *tree(const chiredis_reply *reply) { return (const redisReply *)reply; }

int32_t chiredis_reply_type(const chiredis_reply *reply) {
  switch (tree(reply)->type) {
  case REDIS_REPLY_STRING: return CHIREDIS_STRING;
  case REDIS_REPLY_ARRAY: return CHIREDIS_ARRAY;
  case REDIS_REPLY_INTEGER: return CHIREDIS_INTEGER;
  case REDIS_REPLY_NIL: return CHIREDIS_NIL;
  case REDIS_REPLY_STATUS: return CHIREDIS_STATUS;
  case REDIS_REPLY_ERROR: return CHIREDIS_ERROR;
  default: return CHIREDIS_OTHER;
  }
}

int64_t chiredis_reply_integer(const chiredis_reply *reply) { return tree(reply)->integer; }

const char *chiredis_reply_bytes(const chiredis_reply *reply, size_t *length) {
  *length = tree(reply)->str == NULL ? 0 : (size_t)tree(reply)->len;
  return tree(reply)->str;
}

size_t chiredis_reply_count(const chiredis_reply *reply) { return tree(reply)->type == REDIS_REPLY_ARRAY ? tree(reply)->elements : 0; }

const chiredis_reply *chiredis_reply_element(const chiredis_reply *reply, size_t index) {
  return (const chiredis_reply *)tree(reply)->element[index];
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *chiredis_version(void) { return TEXT(HIREDIS_MAJOR) "." TEXT(HIREDIS_MINOR) "." TEXT(HIREDIS_PATCH); }
int32_t chiredis_has_tls(void) { return tls_available(); }
