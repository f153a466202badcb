#pragma once

#include <stddef.h>
#include <stdint.h>

/* A narrow view of libmariadb: one blocking connection, server-side prepared statements, rows as tagged values.
   The library's own headers are used in the .c file only, so that no importer depends on where a system keeps them. */

typedef struct cmariadb_connection cmariadb_connection;
typedef struct cmariadb_statement cmariadb_statement;

enum cmariadb_tls { CMARIADB_TLS_DISABLED = 0, CMARIADB_TLS_VERIFY_CA = 1, CMARIADB_TLS_VERIFY_IDENTITY = 2 };

typedef struct {
  const char *_Nonnull host;
  /* NULL: TCP, whatever the host is called. */
  const char *_Nullable socket;
  const char *_Nonnull database;
  const char *_Nonnull user;
  const char *_Nonnull password;
  const char *_Nonnull certificate_authority;
  uint32_t port;
  int32_t tls;
  /* Seconds. The library knows no finer unit. */
  uint32_t connect_timeout;
  uint32_t read_timeout;
  uint32_t write_timeout;
} cmariadb_options;

typedef struct {
  uint32_t number;
  char text[512];
} cmariadb_error;

enum cmariadb_kind { CMARIADB_NULL = 0, CMARIADB_INTEGER = 1, CMARIADB_DOUBLE = 2, CMARIADB_TEXT = 3 };

/* A parameter or a cell. text is not terminated and, in a row, valid until the next fetch. */
typedef struct {
  int32_t kind;
  int64_t integer;
  double real;
  const char *_Nullable text;
  size_t length;
} cmariadb_value;

/* NULL: error is filled. The password does not occur in it. */
cmariadb_connection *_Nullable cmariadb_connect(const cmariadb_options *_Nonnull options, cmariadb_error *_Nonnull error);
void cmariadb_disconnect(cmariadb_connection *_Nonnull connection);
/* Not 0: the server has ended the connection, as far as the kernel knows. Asks nobody and never waits. */
int cmariadb_is_ended(cmariadb_connection *_Nonnull connection);
/* The server's own words about its version. */
const char *_Nonnull cmariadb_server_version(cmariadb_connection *_Nonnull connection);
/* The cipher in use; NULL = the connection is not encrypted. */
const char *_Nullable cmariadb_cipher(cmariadb_connection *_Nonnull connection);

/* Statements are to be closed before their connection. NULL: error is filled. */
cmariadb_statement *_Nullable cmariadb_prepare(
    cmariadb_connection *_Nonnull connection, const char *_Nonnull sql, size_t length, cmariadb_error *_Nonnull error);
void cmariadb_close(cmariadb_statement *_Nonnull statement);
uint32_t cmariadb_parameter_count(cmariadb_statement *_Nonnull statement);

/* Sends the statement. 0 = sent and answered; columns may have changed since the last time. */
int cmariadb_execute(
    cmariadb_statement *_Nonnull statement, const cmariadb_value *_Nullable parameters, size_t count,
    cmariadb_error *_Nonnull error);
/* 0: the statement returned no rows to fetch. */
uint32_t cmariadb_column_count(cmariadb_statement *_Nonnull statement);
const char *_Nonnull cmariadb_column_name(cmariadb_statement *_Nonnull statement, uint32_t column);
/* 1 = a row is in cmariadb_row, 0 = no more, -1 = error is filled. */
int cmariadb_fetch(cmariadb_statement *_Nonnull statement, cmariadb_error *_Nonnull error);
const cmariadb_value *_Nonnull cmariadb_row(cmariadb_statement *_Nonnull statement);
/* Reads and drops what was not fetched; to be called after every execute. */
void cmariadb_finish(cmariadb_statement *_Nonnull statement);
/* Of the last execute. */
uint64_t cmariadb_affected_rows(cmariadb_statement *_Nonnull statement);
uint64_t cmariadb_insert_id(cmariadb_statement *_Nonnull statement);
