#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_private.h"

struct pb_tls_server {
    SSL_CTX *context;
};

struct pb_tls_client {
    SSL_CTX *context;
};

struct pb_tls_session {
    SSL *ssl;
    char problem[200];
};

/* OpenSSL writes with write(2), so a peer that has left would end the process by SIGPIPE. */
static void ignore_sigpipe(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, ignore_sigpipe);
}

static int fail_tls(struct pb_error *err, const char *what, const char *file)
{
    unsigned long code = ERR_peek_last_error();
    char words[160] = "unknown TLS error";

    if (code)
        ERR_error_string_n(code, words, sizeof(words));
    ERR_clear_error();
    return pb_fail(err, PB_ERROR_INVALID, "%s '%s': %s", what, file, words);
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    SSL_CTX *context = SSL_CTX_new(method);

    prepare();
    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* HTTP and WebSocket know from their own framing whether something is missing. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

/* We speak HTTP/1.1; a client that offers only something else hears it from the alert. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

struct pb_tls_server *pb_tls_server_new(const char *certificate_file, const char *key_file,
                                        struct pb_error *err)
{
    struct pb_tls_server *tls = calloc(1, sizeof(*tls));

    if (!tls || !(tls->context = context_new(TLS_server_method()))) {
        free(tls);
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    SSL_CTX_set_options(tls->context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_alpn_select_cb(tls->context, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(tls->context, certificate_file) != 1)
        (void)fail_tls(err, "certificate", certificate_file);
    else if (SSL_CTX_use_PrivateKey_file(tls->context, key_file, SSL_FILETYPE_PEM) != 1)
        (void)fail_tls(err, "key", key_file);
    else
        return tls;
    pb_tls_server_free(tls);
    return NULL;
}

void pb_tls_server_free(struct pb_tls_server *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

struct pb_tls_client *pb_tls_client_new(const char *ca_file, struct pb_error *err)
{
    struct pb_tls_client *tls = calloc(1, sizeof(*tls));
    int loaded;

    if (!tls || !(tls->context = context_new(TLS_client_method()))) {
        free(tls);
        (void)pb_fail(err, PB_ERROR_LIMITED, "out of memory");
        return NULL;
    }
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    loaded = ca_file ? SSL_CTX_load_verify_locations(tls->context, ca_file, NULL)
                     : SSL_CTX_set_default_verify_paths(tls->context);
    if (loaded != 1) {
        (void)fail_tls(err, "certificate authorities", ca_file ? ca_file : "of the system");
        pb_tls_client_free(tls);
        return NULL;
    }
    return tls;
}

void pb_tls_client_free(struct pb_tls_client *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

static struct pb_tls_session *session_new(SSL_CTX *context, int fd)
{
    struct pb_tls_session *session = calloc(1, sizeof(*session));

    ERR_clear_error();
    if (!session)
        return NULL;
    session->ssl = SSL_new(context);
    if (!session->ssl || SSL_set_fd(session->ssl, fd) != 1) {
        pb_tls_session_free(session);
        return NULL;
    }
    return session;
}

struct pb_tls_session *pb_tls_session_accept(struct pb_tls_server *tls, int fd)
{
    struct pb_tls_session *session = session_new(tls->context, fd);

    if (session)
        SSL_set_accept_state(session->ssl);
    return session;
}

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char *name = (char *)(uintptr_t)host; /* OpenSSL's macro has no const */

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct pb_tls_session *pb_tls_session_connect(struct pb_tls_client *tls, int fd, const char *host)
{
    static const unsigned char ours[] = "\x08http/1.1";
    struct pb_tls_session *session = session_new(tls->context, fd);

    if (!session)
        return NULL;
    if (!expect_host(session->ssl, host) ||
        SSL_set_alpn_protos(session->ssl, ours, sizeof(ours) - 1) != 0) {
        pb_tls_session_free(session);
        return NULL;
    }
    SSL_set_connect_state(session->ssl);
    return session;
}

void pb_tls_session_free(struct pb_tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    free(session);
}

static void note_problem(struct pb_tls_session *session)
{
    long verdict = SSL_get_verify_result(session->ssl);
    unsigned long code = ERR_peek_error();
    const char *words = ERR_reason_error_string(code);

    if (verdict != X509_V_OK)
        words = X509_verify_cert_error_string(verdict);
    (void)snprintf(session->problem, sizeof(session->problem), "%s",
                   words ? words : "connection cut");
}

/* What to wait for after an operation returned `result` <= 0. */
static enum pb_tls_want wanted(struct pb_tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return PB_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return PB_TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return PB_TLS_DONE;
    default:
        note_problem(session);
        ERR_clear_error();
        return PB_TLS_FAILED;
    }
}

enum pb_tls_want pb_tls_session_handshake(struct pb_tls_session *session)
{
    enum pb_tls_want want;
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(session->ssl);
    if (result == 1)
        return PB_TLS_DONE;
    want = wanted(session, result);
    return want == PB_TLS_DONE ? PB_TLS_FAILED : want;
}

ssize_t pb_tls_session_read(struct pb_tls_session *session, void *data, size_t size,
                            enum pb_tls_want *ret_want)
{
    int result;

    ERR_clear_error();
    result = SSL_read(session->ssl, data, size > INT_MAX ? INT_MAX : (int)size);
    if (result > 0)
        return result;
    *ret_want = wanted(session, result);
    return *ret_want == PB_TLS_DONE ? 0 : -1;
}

ssize_t pb_tls_session_write(struct pb_tls_session *session, const void *data, size_t len,
                             enum pb_tls_want *ret_want)
{
    int result;

    ERR_clear_error();
    result = SSL_write(session->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
    if (result > 0)
        return result;
    *ret_want = wanted(session, result);
    if (*ret_want == PB_TLS_DONE)
        *ret_want = PB_TLS_FAILED;
    return -1;
}

void pb_tls_session_shutdown(struct pb_tls_session *session)
{
    ERR_clear_error();
    if (SSL_is_init_finished(session->ssl))
        (void)SSL_shutdown(session->ssl);
    ERR_clear_error();
}

const char *pb_tls_session_problem(const struct pb_tls_session *session)
{
    return session->problem;
}

void pb_tls_sha1(const void *data, size_t len, uint8_t ret_digest[PB_SHA1_BYTES])
{
    unsigned size = PB_SHA1_BYTES;

    if (EVP_Digest(data, len, ret_digest, &size, EVP_sha1(), NULL) != 1)
        memset(ret_digest, 0, PB_SHA1_BYTES); /* matches nothing: the handshake fails */
}
