/*
 * TLS over a socket pair: good pairs, every refusal with the words both sides see, ends in and
 * out of order, and peers that are not ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>

#include "proto/tls.h"
#include "tests/unit/pki.h"

static struct pki pki;

static int set_up(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	pki_init(&pki);
	pki_environment(&pki, "ca", "test");
	pki_environment(&pki, "ca2", "test");
	pki_issue(&pki, "ca", ROLE_SERVER, "alpha", "alpha", 0);
	pki_issue(&pki, "ca", ROLE_SERVER, "bravo", "bravo", 0);
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "alice", 0);
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "expired", 1577836800);
	pki_issue(&pki, "ca", ROLE_SERVER, "alpha", "expired-server", 1577836800);
	pki_issue(&pki, "ca2", ROLE_OPERATOR, "alice", "stranger", 0);
	pki_issue(&pki, "ca2", ROLE_SERVER, "alpha", "strange-server", 0);
	pki_issue(&pki, "ca", ROLE_OPERATOR, "alice", "odd", 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pki_fini(&pki);
	return 0;
}

struct side {
	int fd;
	struct identity *id;
	struct tls_context *context;
	struct tls_conn *conn;
	enum tls_want want;
};

struct pair {
	struct side server, client;
};

static void open_sockets(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

static void open_side(struct side *side, int fd, const char *sub)
{
	char err[KEYFILE_ERR_SIZE];

	side->fd = fd;
	side->id = pki_load(&pki, "ca", sub);
	assert_int_equal(tls_context_new(side->id, &side->context, err, sizeof err), 0);
}

static void close_side(struct side *side)
{
	tls_free(side->conn);
	tls_context_free(side->context);
	identity_free(side->id);
	if (side->fd >= 0)
		close(side->fd);
}

/* Both sides with the identities in these directories; the client expects `name`. */
static struct pair open_pair(const char *server, const char *client, const char *name)
{
	struct pair p = { 0 };
	int fd[2];

	open_sockets(fd);
	open_side(&p.server, fd[0], server);
	open_side(&p.client, fd[1], client);
	p.server.conn = tls_accept_new(p.server.context, fd[0]);
	p.client.conn = tls_connect_new(p.client.context, fd[1], name);
	return p;
}

static void close_pair(struct pair *p)
{
	close_side(&p->server);
	close_side(&p->client);
}

static bool settled(enum tls_want want)
{
	return want != TLS_WANT_READ && want != TLS_WANT_WRITE;
}

/* Runs both handshakes until neither can go on; a pair of sockets needs no waiting. */
static void shake_hands(struct pair *p)
{
	for (int i = 0; i < 20; i++) {
		p->client.want = tls_handshake(p->client.conn);
		p->server.want = tls_handshake(p->server.conn);
		if (settled(p->client.want) && settled(p->server.want))
			return;
	}
}

static struct pair open_good_pair(void)
{
	struct pair p = open_pair("alpha", "alice", NULL);

	shake_hands(&p);
	assert_int_equal(p.server.want, TLS_DONE);
	assert_int_equal(p.client.want, TLS_DONE);
	return p;
}

static void test_good(void **state)
{
	struct pair p = open_pair("alpha", "alice", "alpha");
	char buf[16];
	size_t n, len, own_len;

	(void)state;
	assert_null(tls_peer(p.server.conn));
	assert_null(tls_peer_der(p.server.conn, &len));
	assert_int_equal(tls_pending(p.server.conn), 0);
	shake_hands(&p);
	assert_int_equal(p.server.want, TLS_DONE);
	assert_int_equal(p.client.want, TLS_DONE);
	assert_int_equal(tls_peer(p.server.conn)->role, ROLE_OPERATOR);
	assert_string_equal(tls_peer(p.server.conn)->name, "alice");
	assert_string_equal(tls_peer(p.server.conn)->environment, "test");
	assert_int_equal(tls_peer(p.client.conn)->role, ROLE_SERVER);
	assert_string_equal(tls_peer(p.client.conn)->name, "alpha");
	const uint8_t *der = tls_peer_der(p.server.conn, &len);
	const uint8_t *own = identity_der(p.client.id, &own_len);
	assert_int_equal(len, own_len);
	assert_memory_equal(der, own, len);
	assert_int_equal(tls_handshake(p.client.conn), TLS_DONE);

	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_WANT_READ);
	assert_int_equal(n, 0);
	assert_int_equal(tls_write(p.server.conn, "hello", 5, &n), TLS_DONE);
	assert_int_equal(n, 5);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(n, 5);
	assert_memory_equal(buf, "hello", 5);
	assert_string_equal(tls_why(p.client.conn), "");
	assert_int_equal(tls_blame(p.client.conn), TLS_BLAME_NONE);
	close_pair(&p);
}

static void test_server_to_server(void **state)
{
	struct pair p = open_pair("alpha", "bravo", NULL);

	(void)state;
	shake_hands(&p);
	assert_int_equal(p.server.want, TLS_DONE);
	assert_int_equal(tls_peer(p.server.conn)->role, ROLE_SERVER);
	assert_string_equal(tls_peer(p.server.conn)->name, "bravo");
	close_pair(&p);
}

/* More than fits into the sockets: partial writes, and the same bytes come out. */
static void test_bulk(void **state)
{
	enum { TOTAL = 3000000 };
	struct pair p = open_good_pair();
	uint8_t *data = malloc(TOTAL), buf[5000];
	size_t sent = 0, got = 0, n;
	bool waited = false;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		data[i] = (uint8_t)(i * i >> 8);
	while (got < TOTAL) {
		while (sent < TOTAL) {
			enum tls_want want = tls_write(p.server.conn, data + sent, TOTAL - sent,
				&n);
			sent += n;
			if (want == TLS_WANT_WRITE) {
				waited = true;
				break;
			}
			assert_int_equal(want, TLS_DONE);
		}
		while (tls_read(p.client.conn, buf, sizeof buf, &n) == TLS_DONE) {
			assert_memory_equal(buf, data + got, n);
			got += n;
		}
	}
	assert_true(waited);
	assert_int_equal(got, TOTAL);
	free(data);
	close_pair(&p);
}

static void test_pending(void **state)
{
	struct pair p = open_good_pair();
	char buf[100];
	size_t n;

	(void)state;
	assert_int_equal(tls_write(p.server.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(tls_read(p.client.conn, buf, 10, &n), TLS_DONE);
	assert_int_equal(tls_pending(p.client.conn), 90);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(n, 90);
	assert_int_equal(tls_pending(p.client.conn), 0);
	close_pair(&p);
}

/* What was sent before the end comes first, then the end; the other direction stays open. */
static void test_orderly_end(void **state)
{
	struct pair p = open_good_pair();
	char buf[16];
	size_t n;

	(void)state;
	assert_int_equal(tls_write(p.server.conn, "bye", 3, &n), TLS_DONE);
	assert_int_equal(tls_shutdown(p.server.conn), TLS_DONE);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(n, 3);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_CLOSED);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_CLOSED);
	assert_int_equal(tls_write(p.client.conn, "ok", 2, &n), TLS_DONE);
	assert_int_equal(tls_read(p.server.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(tls_shutdown(p.client.conn), TLS_DONE);
	assert_int_equal(tls_read(p.server.conn, buf, sizeof buf, &n), TLS_CLOSED);
	assert_string_equal(tls_why(p.client.conn), "");
	close_pair(&p);
}

static void test_truncation(void **state)
{
	struct pair p = open_good_pair();
	char buf[16];
	size_t n;

	(void)state;
	assert_int_equal(tls_write(p.server.conn, "half", 4, &n), TLS_DONE);
	close(p.server.fd);
	p.server.fd = -1;
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_DONE);
	assert_int_equal(n, 4);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), "the connection was cut without an ending");
	assert_int_equal(tls_blame(p.client.conn), TLS_BROKEN);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_FAILED);
	assert_int_equal(tls_write(p.client.conn, "x", 1, &n), TLS_FAILED);
	assert_int_equal(tls_shutdown(p.client.conn), TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), "the connection was cut without an ending");
	close_pair(&p);
}

static void test_write_to_the_gone(void **state)
{
	struct pair p = open_good_pair();
	size_t n;

	(void)state;
	close(p.server.fd);
	p.server.fd = -1;
	assert_int_equal(tls_write(p.client.conn, "x", 1, &n), TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), "the connection broke: Broken pipe");
	close_pair(&p);
}

static void test_hung_up(void **state)
{
	struct pair p = open_pair("alpha", "alice", NULL);

	(void)state;
	assert_int_equal(tls_handshake(p.client.conn), TLS_WANT_READ);
	assert_int_equal(tls_shutdown(p.client.conn), TLS_DONE);
	shutdown(p.server.fd, SHUT_WR);
	assert_int_equal(tls_handshake(p.client.conn), TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), "the peer hung up during the handshake");
	assert_int_equal(tls_blame(p.client.conn), TLS_BROKEN);
	close_pair(&p);
}

/* The server refuses: its own words, and what the client reads instead of a HELLO. */
static void check_server_refuses(const char *client, const char *server_why,
	const char *client_why)
{
	struct pair p = open_pair("alpha", client, NULL);
	char buf[16];
	size_t n;

	shake_hands(&p);
	assert_int_equal(p.server.want, TLS_FAILED);
	assert_string_equal(tls_why(p.server.conn), server_why);
	assert_int_equal(tls_blame(p.server.conn), TLS_I_REFUSED_THEM);
	assert_null(tls_peer(p.server.conn));
	assert_int_equal(p.client.want, TLS_DONE);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), client_why);
	assert_int_equal(tls_blame(p.client.conn), TLS_THEY_REFUSED_ME);
	close_pair(&p);
}

static void test_server_refuses(void **state)
{
	static const char use[] = "the server refused my certificate: "
		"it is not made for this use (extended key usage or kind of key)";

	(void)state;
	check_server_refuses("stranger",
		"the client was refused: its certificate was signed by another CA",
		"the server refused my certificate: signed by another CA");
	check_server_refuses("expired",
		"the client was refused: its certificate expired at 2020-01-01T00:00:00Z",
		"the server refused my certificate: certificate expired");

	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .from_s = 4000000000,
		.until_s = 4000000000 + PKI_DAY_S });
	check_server_refuses("odd",
		"the client was refused: its certificate is not valid before 2096-10-02T07:06:40Z",
		"the server refused my certificate: it is damaged, or not valid yet by the clock "
		"there");
	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .uses = "serverAuth" });
	check_server_refuses("odd", "the client was refused: its certificate is not made for use "
		"as a client (extended key usage)", use);
	pki_forge(&pki, "ca", "odd", (struct pki_wish){ .uses = "" });
	check_server_refuses("odd", "the client was refused: its certificate is not made for use "
		"as a client (extended key usage)", use);
}

/* The client refuses: the server learns of it in its handshake. */
static void check_client_refuses(const char *server, const char *name, const char *client_why,
	const char *server_why)
{
	struct pair p = open_pair(server, "alice", name);

	shake_hands(&p);
	assert_int_equal(p.client.want, TLS_FAILED);
	assert_string_equal(tls_why(p.client.conn), client_why);
	assert_int_equal(tls_blame(p.client.conn), TLS_I_REFUSED_THEM);
	assert_null(tls_peer(p.client.conn));
	assert_int_equal(p.server.want, TLS_FAILED);
	assert_string_equal(tls_why(p.server.conn), server_why);
	assert_int_equal(tls_blame(p.server.conn), TLS_THEY_REFUSED_ME);
	close_pair(&p);
}

static void test_client_refuses(void **state)
{
	static const char name[] = "the client refused my certificate: "
		"it names another environment or not whom it should";

	(void)state;
	check_client_refuses("strange-server", NULL,
		"the server was refused: its certificate was signed by another CA",
		"the client refused my certificate: signed by another CA");
	check_client_refuses("expired-server", NULL,
		"the server was refused: its certificate expired at 2020-01-01T00:00:00Z",
		"the client refused my certificate: certificate expired");
	/* A client of another environment under the same CA is the first to see it. */
	pki_forge(&pki, "ca", "odd", (struct pki_wish){
		.alt_names = "URI:chime://prod/server/alpha", .uses = "serverAuth,clientAuth" });
	check_client_refuses("odd", NULL, "the server was refused: "
		"its certificate is for environment prod, this is test", name);
	check_client_refuses("bravo", "alpha",
		"the server was refused: it is server bravo, asked for was alpha", name);
	check_client_refuses("alice", NULL, "the server was refused: "
		"its certificate is that of operator alice, not of a server", name);
	pki_forge(&pki, "ca", "odd", (struct pki_wish){
		.alt_names = "URI:chime://test/server/alpha" });
	check_client_refuses("odd", NULL, "the server was refused: "
		"its certificate is not made for use as a server (extended key usage)",
		"the client refused my certificate: "
		"it is not made for this use (extended key usage or kind of key)");
}

/* ---- a peer of plain OpenSSL, that does what ours never would ---------------------------- */

static SSL_CTX *new_raw_context(const char *sub)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	char path[256];

	assert_non_null(ctx);
	if (sub) {
		assert_int_equal(SSL_CTX_use_certificate_file(ctx,
			pki_path(&pki, sub, "id.crt", path), SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx,
			pki_path(&pki, sub, "id.key", path), SSL_FILETYPE_PEM), 1);
	}
	return ctx;
}

/* Runs the raw side against a side of ours; returns the raw side's first error reason. */
static int shake_raw(SSL *ssl, struct side *side)
{
	char buf[16];
	int raw = 0;

	for (int i = 0; i < 20; i++) {
		ERR_clear_error();
		raw = SSL_do_handshake(ssl);
		if (raw == 1)
			raw = SSL_read(ssl, buf, sizeof buf);
		int error = SSL_get_error(ssl, raw);
		int reason = ERR_GET_REASON(ERR_peek_error());
		side->want = tls_handshake(side->conn);
		if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL)
			return reason;
	}
	return 0;
}

static void test_no_certificate(void **state)
{
	struct side server = { 0 };
	int fd[2];

	(void)state;
	open_sockets(fd);
	open_side(&server, fd[0], "alpha");
	server.conn = tls_accept_new(server.context, fd[0]);
	SSL_CTX *ctx = new_raw_context(NULL);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_connect_state(ssl);
	int reason = shake_raw(ssl, &server);
	assert_int_equal(reason, SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED);
	assert_int_equal(server.want, TLS_FAILED);
	assert_string_equal(tls_why(server.conn),
		"the client was refused: no certificate was given");
	assert_int_equal(tls_blame(server.conn), TLS_I_REFUSED_THEM);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close_side(&server);
	close(fd[1]);
}

/* Clients that do not care whom they talk to: the server has to. */
static void check_forger(struct pki_wish wish, int alert, const char *why)
{
	struct side server = { 0 };
	int fd[2];

	pki_forge(&pki, "ca", "odd", wish);
	open_sockets(fd);
	open_side(&server, fd[0], "alpha");
	server.conn = tls_accept_new(server.context, fd[0]);
	SSL_CTX *ctx = new_raw_context("odd");
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_connect_state(ssl);
	assert_int_equal(shake_raw(ssl, &server), SSL_AD_REASON_OFFSET + alert);
	assert_int_equal(server.want, TLS_FAILED);
	assert_string_equal(tls_why(server.conn), why);
	assert_int_equal(tls_blame(server.conn), TLS_I_REFUSED_THEM);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close_side(&server);
	close(fd[1]);
}

static void test_forgers(void **state)
{
	(void)state;
	check_forger((struct pki_wish){ .alt_names = "URI:chime://prod/admin/alice" },
		SSL_AD_CERTIFICATE_UNKNOWN, "the client was refused: "
		"its certificate is for environment prod, this is test");
	check_forger((struct pki_wish){ .alt_names = "" }, SSL_AD_CERTIFICATE_UNKNOWN,
		"the client was refused: its certificate has a bad name: "
		"it carries no chime:// name");
	check_forger((struct pki_wish){ .odd_uri = "chime://test/admin/al\0ice",
		.odd_uri_len = 25 }, SSL_AD_CERTIFICATE_UNKNOWN,
		"the client was refused: its certificate has a bad name: "
		"its URI is not of the form chime://ENVIRONMENT/ROLE/NAME");
	check_forger((struct pki_wish){ .group = "P-384" }, SSL_AD_UNSUPPORTED_CERTIFICATE,
		"the client was refused: its key is not EC P-256");
}

static int count_session_cb(SSL *ssl, SSL_SESSION *session)
{
	int *count = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	(void)session;
	(*count)++;
	return 0;
}

static void test_no_ticket(void **state)
{
	struct side server = { 0 };
	char buf[16];
	size_t n;
	int fd[2], sessions = 0;

	(void)state;
	open_sockets(fd);
	open_side(&server, fd[0], "alpha");
	server.conn = tls_accept_new(server.context, fd[0]);
	SSL_CTX *ctx = new_raw_context("alice");
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_set_app_data(ctx, &sessions);
	SSL_CTX_sess_set_new_cb(ctx, count_session_cb);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_connect_state(ssl);
	shake_raw(ssl, &server);
	assert_int_equal(server.want, TLS_DONE);
	assert_int_equal(tls_write(server.conn, "hello", 5, &n), TLS_DONE);
	assert_int_equal(SSL_read(ssl, buf, sizeof buf), 5);
	assert_int_equal(sessions, 0);
	assert_false(SSL_SESSION_is_resumable(SSL_get_session(ssl)));
	assert_int_equal(SSL_version(ssl), TLS1_3_VERSION);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close_side(&server);
	close(fd[1]);
}

static void test_old_client(void **state)
{
	struct side server = { 0 };
	int fd[2];

	(void)state;
	open_sockets(fd);
	open_side(&server, fd[0], "alpha");
	server.conn = tls_accept_new(server.context, fd[0]);
	SSL_CTX *ctx = new_raw_context("alice");
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_connect_state(ssl);
	assert_int_equal(shake_raw(ssl, &server), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	assert_string_equal(tls_why(server.conn), "the peer does not speak TLS 1.3");
	assert_int_equal(tls_blame(server.conn), TLS_BROKEN);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close_side(&server);
	close(fd[1]);
}

static void test_old_server(void **state)
{
	struct side client = { 0 };
	int fd[2];

	(void)state;
	open_sockets(fd);
	open_side(&client, fd[0], "alice");
	client.conn = tls_connect_new(client.context, fd[0], NULL);
	SSL_CTX *ctx = new_raw_context("alpha");
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_accept_state(ssl);
	shake_raw(ssl, &client);
	assert_int_equal(client.want, TLS_FAILED);
	assert_string_equal(tls_why(client.conn), "the peer does not speak TLS 1.3");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close_side(&client);
	close(fd[1]);
}

static void check_foreign(const void *bytes, size_t len, bool as_client, const char *why)
{
	struct side side = { 0 };
	int fd[2];

	open_sockets(fd);
	open_side(&side, fd[0], "alpha");
	side.conn = as_client ? tls_connect_new(side.context, fd[0], NULL) :
		tls_accept_new(side.context, fd[0]);
	assert_int_equal(write(fd[1], bytes, len), len);
	for (int i = 0; i < 5; i++)
		side.want = tls_handshake(side.conn);
	assert_int_equal(side.want, TLS_FAILED);
	assert_string_equal(tls_why(side.conn), why);
	assert_int_equal(tls_blame(side.conn), TLS_BROKEN);
	close_side(&side);
	close(fd[1]);
}

static void test_not_tls(void **state)
{
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	static const char ssh[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
	static const char why[] = "the peer does not speak TLS 1.3";

	(void)state;
	check_foreign(http, sizeof http - 1, false, why);
	check_foreign(ssh, sizeof ssh - 1, false, why);
	check_foreign(ssh, sizeof ssh - 1, true, why);
	/* Alerts out of the blue: handshake_failure, protocol_version. */
	check_foreign("\x15\3\3\0\2\2\x28", 7, true,
		"the peer ended the connection: handshake failure");
	check_foreign("\x15\3\3\0\2\2\x46", 7, true, why);
}

/* An error left behind by one connection must not become another's. */
static void test_errors_do_not_spread(void **state)
{
	struct pair p = open_good_pair();
	char buf[16];
	size_t n;

	(void)state;
	ERR_raise(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED);
	assert_int_equal(tls_read(p.client.conn, buf, sizeof buf, &n), TLS_WANT_READ);
	ERR_raise(ERR_LIB_SSL, SSL_R_CERTIFICATE_VERIFY_FAILED);
	assert_int_equal(tls_write(p.client.conn, "x", 1, &n), TLS_DONE);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_server_to_server),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_orderly_end),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_write_to_the_gone),
		cmocka_unit_test(test_hung_up),
		cmocka_unit_test(test_server_refuses),
		cmocka_unit_test(test_client_refuses),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_forgers),
		cmocka_unit_test(test_no_ticket),
		cmocka_unit_test(test_old_client),
		cmocka_unit_test(test_old_server),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_errors_do_not_spread),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
