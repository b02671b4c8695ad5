#include "proto/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/keyfile.h"

struct tls_context {
	SSL_CTX *ctx;
	const struct identity *id;
};

struct tls_conn {
	SSL *ssl;
	const struct identity *id;
	bool client;			/* I connected */
	bool done;			/* the handshake */
	bool failed;
	char expect[IDENTITY_NAME_SIZE];	/* the server's name, or "" */
	struct name_id peer;
	uint8_t *peer_der;
	size_t peer_der_len;
	enum tls_blame blame;
	char refusal[IDENTITY_WHY_SIZE];	/* what my verification found first */
	char why[IDENTITY_WHY_SIZE + 64];
};

/* ---- judging the peer ------------------------------------------------------------------- */

/* OpenSSL makes the alert from its own error codes: the codes whose alert says what I mean. */
static int alert_code(enum identity_verdict verdict)
{
	switch (verdict) {
	case IDENTITY_OK:
		return X509_V_OK;
	case IDENTITY_OTHER_CA:
		return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;	/* unknown_ca */
	case IDENTITY_EXPIRED:
		return X509_V_ERR_CERT_HAS_EXPIRED;		/* certificate_expired */
	case IDENTITY_WRONG_KEY:
	case IDENTITY_WRONG_USE:
		return X509_V_ERR_INVALID_PURPOSE;		/* unsupported_certificate */
	case IDENTITY_BAD_NAME:
	case IDENTITY_OTHER_ENVIRONMENT:
		return X509_V_ERR_PERMITTED_VIOLATION;		/* certificate_unknown */
	default:
		return X509_V_ERR_CERT_REJECTED;		/* bad_certificate */
	}
}

/* A client talks to servers only, and maybe to one of them only. */
static bool check_server(struct tls_conn *conn, const struct name_id *who)
{
	if (who->role != ROLE_SERVER) {
		snprintf(conn->refusal, sizeof conn->refusal,
			"its certificate is that of %s %s, not of a server", role_name(who->role),
			who->name);
		return false;
	}
	if (conn->expect[0] && strcmp(conn->expect, who->name) != 0) {
		snprintf(conn->refusal, sizeof conn->refusal,
			"it is server %s, asked for was %s", who->name, conn->expect);
		return false;
	}
	return true;
}

static int verify_cb(X509_STORE_CTX *store_ctx, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *conn = SSL_get_app_data(ssl);
	struct name_id who;

	(void)arg;
	/* The wall clock is what certificates are dated by; OpenSSL would read it here too. */
	enum identity_verdict verdict = identity_judge_certificate(conn->id,
		X509_STORE_CTX_get0_cert(store_ctx), time(NULL), &who, conn->refusal,
		sizeof conn->refusal);
	if (verdict == IDENTITY_OK && conn->client && !check_server(conn, &who))
		verdict = IDENTITY_BAD_NAME;
	X509_STORE_CTX_set_error(store_ctx, alert_code(verdict));
	if (verdict == IDENTITY_OK)
		conn->peer = who;
	return verdict == IDENTITY_OK;
}

/* ---- context ---------------------------------------------------------------------------- */

int tls_context_new(const struct identity *id, struct tls_context **out, char *err,
	size_t err_size)
{
	struct tls_context *context = calloc(1, sizeof *context);

	assert(context);
	ERR_clear_error();
	context->id = id;
	SSL_CTX *ctx = context->ctx = SSL_CTX_new(TLS_method());
	assert(ctx);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_max_cert_list(ctx, 2 * IDENTITY_DER_MAX);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_cb, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
		SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
		SSL_CTX_set_num_tickets(ctx, 0) &&
		SSL_CTX_use_certificate(ctx, identity_certificate(id)) == 1 &&
		SSL_CTX_use_PrivateKey(ctx, sigkey_evp(identity_key(id))) == 1) {
		*out = context;
		return 0;
	}
	const char *why = ERR_reason_error_string(ERR_peek_error());
	keyfile_error(err, err_size, -EIO, "cannot use my certificate for TLS", why, NULL);
	ERR_clear_error();
	tls_context_free(context);
	return -EIO;
}

void tls_context_free(struct tls_context *context)
{
	if (context)
		SSL_CTX_free(context->ctx);
	free(context);
}

static struct tls_conn *new_conn(struct tls_context *context, int fd)
{
	struct tls_conn *conn = calloc(1, sizeof *conn);

	assert(conn);
	conn->id = context->id;
	conn->ssl = SSL_new(context->ctx);
	assert(conn->ssl);
	int ok = SSL_set_fd(conn->ssl, fd);
	assert(ok);
	SSL_set_app_data(conn->ssl, conn);
	return conn;
}

struct tls_conn *tls_accept_new(struct tls_context *context, int fd)
{
	struct tls_conn *conn = new_conn(context, fd);

	SSL_set_accept_state(conn->ssl);
	return conn;
}

struct tls_conn *tls_connect_new(struct tls_context *context, int fd, const char *server)
{
	struct tls_conn *conn = new_conn(context, fd);

	conn->client = true;
	if (server)
		snprintf(conn->expect, sizeof conn->expect, "%s", server);
	SSL_set_connect_state(conn->ssl);
	return conn;
}

void tls_free(struct tls_conn *conn)
{
	if (!conn)
		return;
	SSL_free(conn->ssl);
	OPENSSL_free(conn->peer_der);
	free(conn);
}

/* ---- failures in human words ------------------------------------------------------------ */

/* What a peer's alert says about my certificate, or NULL when it is about something else. */
static const char *refusal_of_alert(int alert)
{
	switch (alert) {
	case SSL3_AD_BAD_CERTIFICATE:
		return "it is damaged, or not valid yet by the clock there";
	case SSL3_AD_UNSUPPORTED_CERTIFICATE:
		return "it is not made for this use (extended key usage or kind of key)";
	case SSL3_AD_CERTIFICATE_REVOKED:
		return "it is revoked";
	case SSL3_AD_CERTIFICATE_EXPIRED:
		return "certificate expired";
	case SSL3_AD_CERTIFICATE_UNKNOWN:
		return "it names another environment or not whom it should";
	case TLS1_AD_UNKNOWN_CA:
		return "signed by another CA";
	case TLS1_AD_ACCESS_DENIED:
		return "access denied";
	case TLS13_AD_CERTIFICATE_REQUIRED:
		return "no certificate was given";
	default:
		return NULL;
	}
}

static enum tls_want fail(struct tls_conn *conn, enum tls_blame blame, const char *subject,
	const char *text)
{
	conn->failed = true;
	conn->blame = blame;
	snprintf(conn->why, sizeof conn->why, "%s%s", subject, text);
	ERR_clear_error();
	return TLS_FAILED;
}

static enum tls_want fail_by_alert(struct tls_conn *conn, int alert)
{
	const char *refusal = refusal_of_alert(alert);

	if (refusal) {
		return fail(conn, TLS_THEY_REFUSED_ME, conn->client ?
			"the server refused my certificate: " :
			"the client refused my certificate: ", refusal);
	}
	if (alert == TLS1_AD_PROTOCOL_VERSION)
		return fail(conn, TLS_BROKEN, "", "the peer does not speak TLS 1.3");
	return fail(conn, TLS_BROKEN, "the peer ended the connection: ",
		SSL_alert_desc_string_long(alert));
}

static enum tls_want fail_by_error(struct tls_conn *conn, unsigned long error)
{
	int reason = ERR_GET_REASON(error);

	/* Received alerts are numbered from SSL_AD_REASON_OFFSET on. */
	if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
		return fail_by_alert(conn, reason - SSL_AD_REASON_OFFSET);
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return fail(conn, TLS_I_REFUSED_THEM, conn->client ? "the server was refused: " :
			"the client was refused: ", conn->refusal);
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return fail(conn, TLS_I_REFUSED_THEM, "",
			"the client was refused: no certificate was given");
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return fail(conn, TLS_BROKEN, "", conn->done ?
			"the connection was cut without an ending" :
			"the peer hung up during the handshake");
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
		return fail(conn, TLS_BROKEN, "", "the peer does not speak TLS 1.3");
	default:
		break;
	}
	const char *text = ERR_reason_error_string(error);
	return fail(conn, TLS_BROKEN, "TLS failed: ", text ? text : "unknown error");
}

/* Turns what OpenSSL returned into what the caller has to do. */
static enum tls_want judge_result(struct tls_conn *conn, int result)
{
	int saved_errno = errno;

	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		return fail(conn, TLS_BROKEN, "the connection broke: ",
			saved_errno ? strerror(saved_errno) : "the peer hung up");
	default:
		return fail_by_error(conn, ERR_peek_error());
	}
}

/* Errors of other connections must not be taken for this one's. */
static void clear_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

/* ---- talking ---------------------------------------------------------------------------- */

static void keep_peer(struct tls_conn *conn)
{
	X509 *certificate = SSL_get0_peer_certificate(conn->ssl);

	assert(certificate);
	int len = i2d_X509(certificate, &conn->peer_der);
	assert(len > 0);
	conn->peer_der_len = (size_t)len;
	conn->done = true;
}

enum tls_want tls_handshake(struct tls_conn *conn)
{
	if (conn->failed)
		return TLS_FAILED;
	if (conn->done)
		return TLS_DONE;
	clear_errors();
	enum tls_want want = judge_result(conn, SSL_do_handshake(conn->ssl));
	if (want == TLS_DONE)
		keep_peer(conn);
	else if (want == TLS_CLOSED)
		want = fail(conn, TLS_BROKEN, "", "the peer hung up during the handshake");
	return want;
}

enum tls_want tls_read(struct tls_conn *conn, void *buf, size_t cap, size_t *got)
{
	*got = 0;
	assert(conn->failed || conn->done);
	if (conn->failed)
		return TLS_FAILED;
	clear_errors();
	return judge_result(conn, SSL_read_ex(conn->ssl, buf, cap, got));
}

enum tls_want tls_write(struct tls_conn *conn, const void *buf, size_t len, size_t *put)
{
	*put = 0;
	assert(conn->failed || (conn->done && len > 0));
	if (conn->failed)
		return TLS_FAILED;
	clear_errors();
	return judge_result(conn, SSL_write_ex(conn->ssl, buf, len, put));
}

enum tls_want tls_shutdown(struct tls_conn *conn)
{
	if (conn->failed)
		return TLS_FAILED;
	if (!conn->done)
		return TLS_DONE;
	clear_errors();
	int rc = SSL_shutdown(conn->ssl);
	return rc >= 0 ? TLS_DONE : judge_result(conn, rc);
}

size_t tls_pending(const struct tls_conn *conn)
{
	int n = conn->done && !conn->failed ? SSL_pending(conn->ssl) : 0;

	return n > 0 ? (size_t)n : 0;
}

const struct name_id *tls_peer(const struct tls_conn *conn)
{
	return conn->done ? &conn->peer : NULL;
}

const uint8_t *tls_peer_der(const struct tls_conn *conn, size_t *len)
{
	*len = conn->peer_der_len;
	return conn->peer_der;
}

const char *tls_why(const struct tls_conn *conn)
{
	return conn->why;
}

enum tls_blame tls_blame(const struct tls_conn *conn)
{
	return conn->blame;
}
