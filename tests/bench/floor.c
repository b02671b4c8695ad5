/*
 * floor.c - what this machine can do at all, beside the figures of chime.
 *
 *	floor handoff FOLDER N PROGRAM...	microseconds of each of N: append and fdatasync, a
 *						datagram over loopback, fork and exec of
 *						PROGRAM until it closes its end of a pipe;
 *						one a line
 *	floor sqlite FOLDER ROWS BATCH		rows/s of sqlite: WAL, synchronous=FULL, BATCH rows
 *						of 300 bytes a transaction
 *	floor now				CLOCK_MONOTONIC in microseconds
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void stop(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* One append that is on the disk. */
static void append(int fd)
{
	char block[400];

	memset(block, 'x', sizeof(block));
	if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(fd) < 0)
		stop("fdatasync");
}

static int open_socket(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){ .sin_family = AF_INET };
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)address, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)address, &len) < 0)
		stop("socket");
	return fd;
}

static void datagram(int fd, const struct sockaddr_in *to)
{
	char data[700] = "";

	if (sendto(fd, data, sizeof(data), 0, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
	    recv(fd, data, sizeof(data), 0) < 0)
		stop("datagram");
}

/* Until the program wrote its first line: it runs. */
static pid_t start(char **argv)
{
	int pair[2];
	pid_t pid;
	char c;

	if (pipe2(pair, O_CLOEXEC) < 0)
		stop("pipe");
	pid = fork();
	if (pid < 0)
		stop("fork");
	if (pid == 0) {
		/* The pipe closes as the program takes over. */
		execv(argv[0], argv);
		_exit(127);
	}
	close(pair[1]);
	if (read(pair[0], &c, 1) < 0)
		stop("read");
	close(pair[0]);
	return pid;
}

static int measure_handoff(const char *folder, int n, char **argv)
{
	char path[4096];
	struct sockaddr_in address;
	int fd, udp = open_socket(&address), status;

	snprintf(path, sizeof(path), "%s/floor", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		stop(path);
	for (int i = 0; i < n; i++) {
		int64_t from = now_us();
		pid_t pid;

		append(fd);
		datagram(udp, &address);
		pid = start(argv);
		printf("%" PRIi64 "\n", now_us() - from);
		waitpid(pid, &status, 0);
	}
	close(fd);
	unlink(path);
	return 0;
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
		fprintf(stderr, "floor: %s: %s\n", sql, error);
		exit(1);
	}
}

static int measure_sqlite(const char *folder, int rows, int batch)
{
	char path[4096], body[300];
	sqlite3 *db;
	sqlite3_stmt *insert;
	int64_t from;

	snprintf(path, sizeof(path), "%s/floor.db", folder);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		stop(path);
	run_sql(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
		    "CREATE TABLE frame (seq INTEGER PRIMARY KEY, body BLOB)");
	sqlite3_prepare_v2(db, "INSERT INTO frame (body) VALUES (?)", -1, &insert, NULL);
	memset(body, 'x', sizeof(body));
	from = now_us();
	for (int i = 0; i < rows; i++) {
		if (i % batch == 0)
			run_sql(db, "BEGIN");
		sqlite3_bind_blob(insert, 1, body, sizeof(body), SQLITE_STATIC);
		if (sqlite3_step(insert) != SQLITE_DONE)
			stop("insert");
		sqlite3_reset(insert);
		if (i % batch == batch - 1 || i == rows - 1)
			run_sql(db, "COMMIT");
	}
	printf("%.0f\n", rows * 1e6 / (double)(now_us() - from));
	sqlite3_finalize(insert);
	sqlite3_close(db);
	unlink(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 4 && strcmp(argv[1], "handoff") == 0)
		return measure_handoff(argv[2], atoi(argv[3]), argv + 4);
	if (argc == 5 && strcmp(argv[1], "sqlite") == 0)
		return measure_sqlite(argv[2], atoi(argv[3]), atoi(argv[4]));
	if (argc == 2 && strcmp(argv[1], "now") == 0)
		return printf("%" PRIi64 "\n", now_us()) < 0;
	fputs("usage: floor handoff FOLDER N PROGRAM... | sqlite FOLDER ROWS BATCH | now\n", stderr);
	return 2;
}
