#include "tls.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#if defined(__has_include) && HIREDIS_MAJOR >= 1
#if __has_include(<hiredis/hiredis_ssl.h>)
#define HAS_TLS_HEADER 1
#endif
#endif

#ifdef HAS_TLS_HEADER
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <arpa/inet.h>

/* Loaded when somebody asks for TLS, not linked: OpenSSL would cost every process memory that talks to Redis in the clear, and a machine
   without libhiredis_ssl could not start any. The prototypes are those of OpenSSL 1.1 and 3, which both keep them stable. hiredis' own way
   to make a session checks the chain but never the name in the certificate, so the session is made here. */
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;
enum { VERIFY_PEER = 1, CTRL_SET_TLSEXT_HOSTNAME = 55, NAMETYPE_HOST = 0, CTRL_SET_MIN_PROTO_VERSION = 123, TLS1_2 = 0x0303 };

static struct {
  int loaded;
  SSL_CTX *session_rules;
  int (*initiate)(redisContext *, SSL *);
  const void *(*client_method)(void);
  SSL_CTX *(*ctx_new)(const void *);
  long (*ctx_ctrl)(SSL_CTX *, int, long, void *);
  int (*ctx_default_paths)(SSL_CTX *);
  void (*ctx_set_verify)(SSL_CTX *, int, void *);
  SSL *(*ssl_new)(SSL_CTX *);
  void (*ssl_free)(SSL *);
  long (*ssl_ctrl)(SSL *, int, long, void *);
  int (*set1_host)(SSL *, const char *);
  void *(*get0_param)(SSL *);
  int (*param_set1_ip)(void *, const char *);
} tls;

static int find(void *library, const char *name, void *place) {
  void *symbol = dlsym(library, name);
  memcpy(place, &symbol, sizeof symbol);
  return symbol != NULL;
}

static void load(void) {
  /* hiredis 1.x names its library after its SONAME; the TLS part has the same. */
  void *library = dlopen("libhiredis_ssl.so." TEXT(HIREDIS_SONAME), RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return;
  /* dlsym on a handle also looks into what the library itself loaded: libssl and libcrypto. */
  if (!find(library, "redisInitiateSSL", &tls.initiate) || !find(library, "TLS_client_method", &tls.client_method)
      || !find(library, "SSL_CTX_new", &tls.ctx_new) || !find(library, "SSL_CTX_ctrl", &tls.ctx_ctrl)
      || !find(library, "SSL_CTX_set_default_verify_paths", &tls.ctx_default_paths)
      || !find(library, "SSL_CTX_set_verify", &tls.ctx_set_verify) || !find(library, "SSL_new", &tls.ssl_new)
      || !find(library, "SSL_free", &tls.ssl_free) || !find(library, "SSL_ctrl", &tls.ssl_ctrl)
      || !find(library, "SSL_set1_host", &tls.set1_host) || !find(library, "SSL_get0_param", &tls.get0_param)
      || !find(library, "X509_VERIFY_PARAM_set1_ip_asc", &tls.param_set1_ip)) {
    return;
  }
  SSL_CTX *rules = tls.ctx_new(tls.client_method());
  if (rules == NULL || tls.ctx_default_paths(rules) != 1) return;
  tls.ctx_ctrl(rules, CTRL_SET_MIN_PROTO_VERSION, TLS1_2, NULL);
  tls.ctx_set_verify(rules, VERIFY_PEER, NULL);
  tls.session_rules = rules;
  tls.loaded = 1;
}

int tls_available(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return tls.loaded;
}

int tls_start(redisContext *context, const char *name, char *error, unsigned long error_size) {
  SSL *session = tls_available() ? tls.ssl_new(tls.session_rules) : NULL;
  if (session == NULL) {
    snprintf(error, error_size, "TLS can't be set up");
    return -1;
  }
  unsigned char address[16];
  const int numeric = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
  const int named = numeric ? tls.param_set1_ip(tls.get0_param(session), name)
                            : tls.set1_host(session, name) == 1
                                && tls.ssl_ctrl(session, CTRL_SET_TLSEXT_HOSTNAME, NAMETYPE_HOST, (void *)name) == 1;
  if (!named) {
    tls.ssl_free(session);
    snprintf(error, error_size, "TLS can't check for the name %s", name);
    return -1;
  }
  /* From here on the session is the context's. */
  if (tls.initiate(context, session) != REDIS_OK) {
    snprintf(error, error_size, "TLS: %s", context->errstr);
    return -1;
  }
  return 0;
}
#else
int tls_available(void) { return 0; }

int tls_start(redisContext *context, const char *name, char *error, unsigned long error_size) {
  (void)context;
  (void)name;
  snprintf(error, error_size, "this build has no TLS for Redis");
  return -1;
}
#endif
