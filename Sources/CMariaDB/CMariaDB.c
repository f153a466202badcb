#define _GNU_SOURCE
#include "CMariaDB.h"

#include <errno.h>
#include <fcntl.h>
#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cmariadb_connection {
  MYSQL *handle;
};

/* One result column: where libmariadb puts a cell, and the buffer for text, which grows with the longest cell seen. */
struct column {
  char *name;
  char *buffer;
  size_t capacity;
  unsigned long length;
  int64_t integer;
  double real;
  my_bool null;
  my_bool error;
  enum { AS_INTEGER, AS_DOUBLE, AS_TEXT, AS_DECIMAL, AS_BITS } decode;
  enum enum_field_types type;
  unsigned int flags;
  unsigned int decimals;
};

struct cmariadb_statement {
  MYSQL_STMT *handle;
  unsigned int column_count;
  struct column *columns;
  MYSQL_BIND *binds;
  cmariadb_value *row;
};

static void say(cmariadb_error *error, unsigned int number, const char *text) {
  error->number = number;
  snprintf(error->text, sizeof error->text, "%s", text == NULL ? "" : text);
}

static void out_of_memory(cmariadb_error *error) { say(error, CR_OUT_OF_MEMORY, "out of memory"); }

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static void start_library(void) { mysql_server_init(0, NULL, NULL); }

cmariadb_connection *cmariadb_connect(const cmariadb_options *options, cmariadb_error *error) {
  pthread_once(&library_once, start_library);
  cmariadb_connection *connection = calloc(1, sizeof *connection);
  MYSQL *handle = mysql_init(NULL);
  if (connection == NULL || handle == NULL) {
    free(connection);
    if (handle != NULL) mysql_close(handle);
    out_of_memory(error);
    return NULL;
  }
  const my_bool no = 0, yes = 1;
  const unsigned int no_infile = 0;
  const int named_socket = options->socket != NULL;
  const unsigned int protocol = named_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
  mysql_options(handle, MYSQL_OPT_PROTOCOL, &protocol);
  mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &options->connect_timeout);
  mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &options->read_timeout);
  mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &options->write_timeout);
  mysql_options(handle, MYSQL_OPT_RECONNECT, &no);
  mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no_infile);
  mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  mysql_options(handle, MYSQL_REPORT_DATA_TRUNCATION, &yes);
  if (options->tls != CMARIADB_TLS_DISABLED) {
    /* With an authority named, libmariadb 3.3 and 3.4 check the chain after every handshake; the host name only with VERIFY_SERVER_CERT,
       and 3.4 not that of localhost, 127.0.0.1 and ::1. */
    mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(handle, MYSQL_OPT_SSL_CA, options->certificate_authority);
    mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, options->tls == CMARIADB_TLS_VERIFY_IDENTITY ? &yes : &no);
    if (options->tls == CMARIADB_TLS_VERIFY_CA) {
      /* Below, a server without TLS is found out only after the login. Until then it must not be able to ask for the password itself:
         these ways send a proof of it, never the clear text (no dialog, no mysql_clear_password). */
      mysql_options(handle, MARIADB_OPT_RESTRICTED_AUTH,
          "mysql_native_password,client_ed25519,caching_sha2_password,sha256_password,auth_gssapi_client,parsec");
    }
  }
  if (mysql_real_connect(
          handle, named_socket ? NULL : options->host, options->user, options->password, options->database, options->port,
          options->socket, 0) == NULL) {
    say(error, mysql_errno(handle), mysql_error(handle));
    mysql_close(handle);
    free(connection);
    return NULL;
  }
  if (options->tls != CMARIADB_TLS_DISABLED && mysql_get_ssl_cipher(handle) == NULL) {
    /* libmariadb 3.3 refuses a server without TLS only when it is to check the host name, too. */
    say(error, CR_SSL_CONNECTION_ERROR, "TLS is required, but the server does not offer it");
    mysql_close(handle);
    free(connection);
    return NULL;
  }
  const int descriptor = (int)mysql_get_socket(handle);
  if (descriptor >= 0) fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  /* A server's init_connect may have switched it off. */
  if (mysql_autocommit(handle, 1) != 0) {
    say(error, mysql_errno(handle), mysql_error(handle));
    mysql_close(handle);
    free(connection);
    return NULL;
  }
  connection->handle = handle;
  return connection;
}

void cmariadb_disconnect(cmariadb_connection *connection) {
  mysql_close(connection->handle);
  free(connection);
}

int cmariadb_is_ended(cmariadb_connection *connection) {
  struct pollfd entry = {.fd = (int)mysql_get_socket(connection->handle), .events = POLLRDHUP};
  return poll(&entry, 1, 0) != 0;
}

const char *cmariadb_server_version(cmariadb_connection *connection) {
  const char *version = mysql_get_server_info(connection->handle);
  return version == NULL ? "" : version;
}

const char *cmariadb_cipher(cmariadb_connection *connection) { return mysql_get_ssl_cipher(connection->handle); }

static void drop_columns(cmariadb_statement *statement) {
  for (unsigned int i = 0; i < statement->column_count; i++) {
    free(statement->columns[i].name);
    free(statement->columns[i].buffer);
  }
  free(statement->columns);
  free(statement->binds);
  free(statement->row);
  statement->columns = NULL;
  statement->binds = NULL;
  statement->row = NULL;
  statement->column_count = 0;
}

cmariadb_statement *cmariadb_prepare(cmariadb_connection *connection, const char *sql, size_t length, cmariadb_error *error) {
  cmariadb_statement *statement = calloc(1, sizeof *statement);
  MYSQL_STMT *handle = mysql_stmt_init(connection->handle);
  if (statement == NULL || handle == NULL) {
    free(statement);
    if (handle != NULL) mysql_stmt_close(handle);
    out_of_memory(error);
    return NULL;
  }
  if (mysql_stmt_prepare(handle, sql, (unsigned long)length) != 0) {
    say(error, mysql_stmt_errno(handle), mysql_stmt_error(handle));
    mysql_stmt_close(handle);
    free(statement);
    return NULL;
  }
  statement->handle = handle;
  return statement;
}

void cmariadb_close(cmariadb_statement *statement) {
  drop_columns(statement);
  mysql_stmt_close(statement->handle);
  free(statement);
}

uint32_t cmariadb_parameter_count(cmariadb_statement *statement) { return (uint32_t)mysql_stmt_param_count(statement->handle); }

static void bind_column(struct column *column, MYSQL_BIND *bind) {
  memset(bind, 0, sizeof *bind);
  bind->is_null = &column->null;
  bind->error = &column->error;
  bind->length = &column->length;
  switch (column->type) {
  case MYSQL_TYPE_TINY:
  case MYSQL_TYPE_SHORT:
  case MYSQL_TYPE_LONG:
  case MYSQL_TYPE_INT24:
  case MYSQL_TYPE_LONGLONG:
  case MYSQL_TYPE_YEAR:
    column->decode = AS_INTEGER;
    bind->buffer_type = MYSQL_TYPE_LONGLONG;
    bind->buffer = &column->integer;
    bind->buffer_length = sizeof column->integer;
    bind->is_unsigned = (column->flags & UNSIGNED_FLAG) != 0;
    return;
  case MYSQL_TYPE_FLOAT:
  case MYSQL_TYPE_DOUBLE:
    column->decode = AS_DOUBLE;
    bind->buffer_type = MYSQL_TYPE_DOUBLE;
    bind->buffer = &column->real;
    bind->buffer_length = sizeof column->real;
    return;
  case MYSQL_TYPE_DECIMAL:
  case MYSQL_TYPE_NEWDECIMAL:
    column->decode = AS_DECIMAL;
    break;
  case MYSQL_TYPE_BIT:
    column->decode = AS_BITS;
    break;
  default:
    column->decode = AS_TEXT;
    break;
  }
  bind->buffer_type = MYSQL_TYPE_STRING;
  bind->buffer = column->buffer;
  bind->buffer_length = column->capacity;
}

static int describe(struct column *column, const MYSQL_FIELD *field) {
  column->name = strdup(field->name == NULL ? "" : field->name);
  column->capacity = 256;
  column->buffer = malloc(column->capacity);
  column->type = field->type;
  column->flags = field->flags;
  column->decimals = field->decimals;
  return column->name != NULL && column->buffer != NULL;
}

/* Binds anew after each execute: a server may have prepared the statement again after a change of the table. */
static int bind_result(cmariadb_statement *statement, cmariadb_error *error) {
  const unsigned int count = mysql_stmt_field_count(statement->handle);
  if (count == 0) {
    drop_columns(statement);
    return 0;
  }
  MYSQL_RES *metadata = mysql_stmt_result_metadata(statement->handle);
  if (metadata == NULL) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    return -1;
  }
  const MYSQL_FIELD *fields = mysql_fetch_fields(metadata);
  int same = count == statement->column_count;
  for (unsigned int i = 0; same && i < count; i++) {
    const struct column *column = &statement->columns[i];
    same = column->type == fields[i].type && column->flags == fields[i].flags && column->decimals == fields[i].decimals
      && strcmp(column->name, fields[i].name == NULL ? "" : fields[i].name) == 0;
  }
  int complete = 1;
  if (!same) {
    drop_columns(statement);
    statement->columns = calloc(count, sizeof *statement->columns);
    statement->binds = calloc(count, sizeof *statement->binds);
    statement->row = calloc(count, sizeof *statement->row);
    complete = statement->columns != NULL && statement->binds != NULL && statement->row != NULL;
    if (complete) statement->column_count = count;
    for (unsigned int i = 0; complete && i < count; i++) complete = describe(&statement->columns[i], &fields[i]);
  }
  mysql_free_result(metadata);
  if (!complete) {
    drop_columns(statement);
    out_of_memory(error);
    return -1;
  }
  for (unsigned int i = 0; i < count; i++) bind_column(&statement->columns[i], &statement->binds[i]);
  if (mysql_stmt_bind_result(statement->handle, statement->binds) != 0) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    return -1;
  }
  return 0;
}

int cmariadb_execute(cmariadb_statement *statement, const cmariadb_value *parameters, size_t count, cmariadb_error *error) {
  MYSQL_BIND *binds = NULL;
  if (count > 0) {
    binds = calloc(count, sizeof *binds);
    if (binds == NULL) {
      out_of_memory(error);
      return -1;
    }
    for (size_t i = 0; i < count; i++) {
      switch (parameters[i].kind) {
      case CMARIADB_INTEGER:
        binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
        binds[i].buffer = (void *)&parameters[i].integer;
        break;
      case CMARIADB_DOUBLE:
        binds[i].buffer_type = MYSQL_TYPE_DOUBLE;
        binds[i].buffer = (void *)&parameters[i].real;
        break;
      case CMARIADB_TEXT:
        binds[i].buffer_type = MYSQL_TYPE_STRING;
        binds[i].buffer = (void *)(parameters[i].text == NULL ? "" : parameters[i].text);
        binds[i].buffer_length = parameters[i].length;
        break;
      default:
        binds[i].buffer_type = MYSQL_TYPE_NULL;
        break;
      }
    }
  }
  int result = 0;
  if ((binds != NULL && mysql_stmt_bind_param(statement->handle, binds) != 0) || mysql_stmt_execute(statement->handle) != 0) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    result = -1;
  }
  free(binds);
  return result != 0 ? result : bind_result(statement, error);
}

uint32_t cmariadb_column_count(cmariadb_statement *statement) { return statement->column_count; }

const char *cmariadb_column_name(cmariadb_statement *statement, uint32_t column) { return statement->columns[column].name; }

/* Reads a cell again that did not fit, into a buffer that holds it. */
static int widen(cmariadb_statement *statement, unsigned int index, cmariadb_error *error) {
  struct column *column = &statement->columns[index];
  const size_t capacity = column->length + column->length / 2;
  char *buffer = realloc(column->buffer, capacity);
  if (buffer == NULL) {
    out_of_memory(error);
    return -1;
  }
  column->buffer = buffer;
  column->capacity = capacity;
  bind_column(column, &statement->binds[index]);
  MYSQL_BIND again = statement->binds[index];
  if (mysql_stmt_fetch_column(statement->handle, &again, index, 0) != 0) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    return -1;
  }
  return 0;
}

/* After a fetch: makes room for every cell that did not fit. The statement keeps its own copy of the bindings, which also says where the
   row is in memory, so the new buffers may reach it only when all cells have been read. */
static int widen_all(cmariadb_statement *statement, cmariadb_error *error) {
  int widened = 0;
  for (unsigned int i = 0; i < statement->column_count; i++) {
    const struct column *column = &statement->columns[i];
    if (column->null || column->decode < AS_TEXT || column->length <= column->capacity) continue;
    if (widen(statement, i, error) != 0) return -1;
    widened = 1;
  }
  if (widened && mysql_stmt_bind_result(statement->handle, statement->binds) != 0) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    return -1;
  }
  return 0;
}

static void decode_decimal(const struct column *column, cmariadb_value *value) {
  char digits[96];
  const size_t length = column->length < sizeof digits ? column->length : sizeof digits - 1;
  memcpy(digits, column->buffer, length);
  digits[length] = 0;
  if (column->decimals == 0) {
    char *end = NULL;
    errno = 0;
    value->integer = strtoll(digits, &end, 10);
    if (errno == 0 && end != digits && *end == 0) {
      value->kind = CMARIADB_INTEGER;
      return;
    }
  }
  value->kind = CMARIADB_DOUBLE;
  value->real = strtod(digits, NULL);
}

static void decode(struct column *column, cmariadb_value *value) {
  value->kind = CMARIADB_NULL;
  if (column->null) return;
  switch (column->decode) {
  case AS_INTEGER:
    if (column->integer < 0 && (column->flags & UNSIGNED_FLAG) != 0) {
      /* More than 64 bits with a sign can hold. */
      value->kind = CMARIADB_TEXT;
      value->length = (size_t)snprintf(column->buffer, column->capacity, "%llu", (unsigned long long)column->integer);
      value->text = column->buffer;
      return;
    }
    value->kind = CMARIADB_INTEGER;
    value->integer = column->integer;
    return;
  case AS_DOUBLE:
    value->kind = CMARIADB_DOUBLE;
    value->real = column->real;
    return;
  case AS_DECIMAL:
    decode_decimal(column, value);
    return;
  case AS_BITS: {
    uint64_t bits = 0;
    for (unsigned long i = 0; i < column->length && i < 8; i++) bits = bits << 8 | (unsigned char)column->buffer[i];
    value->kind = CMARIADB_INTEGER;
    value->integer = (int64_t)bits;
    return;
  }
  case AS_TEXT:
    value->kind = CMARIADB_TEXT;
    value->text = column->buffer;
    value->length = column->length;
    return;
  }
}

int cmariadb_fetch(cmariadb_statement *statement, cmariadb_error *error) {
  const int result = mysql_stmt_fetch(statement->handle);
  if (result == MYSQL_NO_DATA) return 0;
  if (result != 0 && result != MYSQL_DATA_TRUNCATED) {
    say(error, mysql_stmt_errno(statement->handle), mysql_stmt_error(statement->handle));
    return -1;
  }
  if (widen_all(statement, error) != 0) return -1;
  for (unsigned int i = 0; i < statement->column_count; i++) decode(&statement->columns[i], &statement->row[i]);
  return 1;
}

const cmariadb_value *cmariadb_row(cmariadb_statement *statement) { return statement->row; }

void cmariadb_finish(cmariadb_statement *statement) { mysql_stmt_free_result(statement->handle); }

uint64_t cmariadb_affected_rows(cmariadb_statement *statement) {
  const my_ulonglong rows = mysql_stmt_affected_rows(statement->handle);
  return rows == (my_ulonglong)-1 ? 0 : rows;
}

uint64_t cmariadb_insert_id(cmariadb_statement *statement) { return mysql_stmt_insert_id(statement->handle); }
