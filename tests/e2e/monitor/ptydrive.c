/*
 * ptydrive.c - runs a command on a terminal of its own, types a script into it as fast as the
 * command reads, and says how it left the terminal.
 *
 *	ptydrive [-s ROWSxCOLS] [-t TERM] [-o FILE] [-i SCRIPT] [-T SECONDS] -- COMMAND [WORD...]
 *
 *	-s 24x80	size of the terminal
 *	-t NAME		TERM of the command (xterm-256color)
 *	-o FILE		everything the command wrote to the terminal, raw
 *	-i SCRIPT	a file of lines as below (- or nothing: stdin)
 *	-T SECONDS	limit of the whole run (60); then the command gets SIGKILL
 *
 * Lines of a script; # begins a comment. TEXT knows \e \r \n \t \\ \s (blank) and \xHH.
 *	keys TEXT		types it
 *	file PATH		types the bytes of a file
 *	random N SEED [TEXT]	types N random keys: characters, control characters, sequences known
 *				and unknown, broken UTF-8. Bytes of TEXT do not occur in any of them
 *	expect TEXT		waits until the command has written it (since the last expect)
 *	quiet MS		waits until the command has written nothing for so long
 *	signal NAME		TERM HUP INT QUIT SEGV ABRT BUS FPE ILL WINCH TSTP CONT USR1 KILL
 *	size ROWSxCOLS		another size; the command gets SIGWINCH
 *	hangup			the terminal goes away
 *	end			waits for the end of the command, as at the end of the script
 *
 * Report on stdout, a word=value a line:
 *	exit=N | signal=N
 *	termios=same | changed	of the terminal, before the command and after it
 *	modes=clean | LIST	DEC private modes that are not as at the beginning, like 1049h,25l
 *	keypad=normal | application
 *	rendition=normal | TEXT	the last SGR
 *	typed=N written=N	bytes
 *
 * Status 0 when the script was played to its end and the command has ended (however); 1 when an
 * expectation or the limit failed; 2 for wrong usage.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 8192, MODES_MAX = 64, SEQUENCE_SIZE = 64, CHUNK = 4096 };

struct mode { int number; bool set, set_first; };

struct drive {
	int master, slave, record;
	pid_t pid;
	int status;
	bool ended, failed;
	int64_t limit_ms;
	struct termios before;
	size_t typed, written;
	/* Written since the last expect. */
	char *said;
	size_t said_len, said_room;
	/* What the terminal was told. */
	struct mode modes[MODES_MAX];
	size_t mode_count;
	bool application;
	char rendition[SEQUENCE_SIZE];
	char sequence[SEQUENCE_SIZE];
	size_t sequence_len;		/* 0 = not in one */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((noreturn, format(printf, 1, 2)))
static void give_up(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("ptydrive: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

static void fail(struct drive *d, const char *what, const char *text)
{
	fprintf(stderr, "ptydrive: %s %s\n", what, text);
	d->failed = true;
}

/* ---- what the terminal is told ---- */

/* A mode first seen is taken to have been the other way round; the cursor is on at the start. */
static void note_mode(struct drive *d, int number, bool set)
{
	size_t i = 0;

	while (i < d->mode_count && d->modes[i].number != number)
		i++;
	if (i == MODES_MAX)
		give_up("too many modes");
	if (i == d->mode_count) {
		bool on_first = number == 25 || number == 7;
		bool off_first = number == 1 || number == 12 || number >= 1000;
		d->mode_count++;
		d->modes[i] = (struct mode){ .number = number,
					     .set_first = on_first || (!off_first && !set) };
	}
	d->modes[i].set = set;
}

static void note_modes(struct drive *d, const char *numbers, bool set)
{
	char *end;

	for (const char *p = numbers; isdigit((unsigned char)*p); p = *end == ';' ? end + 1 : end)
		note_mode(d, (int)strtol(p, &end, 10), set);
}

static void end_sequence(struct drive *d)
{
	char *s = d->sequence;
	size_t len = d->sequence_len;

	s[len] = '\0';
	d->sequence_len = 0;
	if (strcmp(s, "\033=") == 0 || strcmp(s, "\033>") == 0)
		d->application = s[1] == '=';
	else if (strncmp(s, "\033[?", 3) == 0 && (s[len - 1] == 'h' || s[len - 1] == 'l'))
		note_modes(d, s + 3, s[len - 1] == 'h');
	else if (s[1] == '[' && s[len - 1] == 'm' && strcmp(s, "\033[39;49m") != 0)
		snprintf(d->rendition, sizeof(d->rendition), "%s", s + 2);
}

static void note_byte(struct drive *d, char byte)
{
	if (byte == '\033') {
		d->sequence[0] = byte;
		d->sequence_len = 1;
		return;
	}
	if (d->sequence_len == 0)
		return;
	if (d->sequence_len >= SEQUENCE_SIZE - 1) {
		d->sequence_len = 0;
		return;
	}
	d->sequence[d->sequence_len++] = byte;
	if (d->sequence_len == 2 ? byte != '[' && byte != '(' && byte != ')'
				 : byte >= 0x40 || d->sequence[1] != '[')
		end_sequence(d);
}

static void note_output(struct drive *d, const char *bytes, size_t len)
{
	d->written += len;
	if (d->record >= 0 && write(d->record, bytes, len) != (ssize_t)len)
		give_up("the record cannot be written");
	for (size_t i = 0; i < len; i++)
		note_byte(d, bytes[i]);
	if (d->said_len + len + 1 > d->said_room) {
		d->said_room = (d->said_len + len + 1) * 2;
		d->said = realloc(d->said, d->said_room);
		if (d->said == NULL)
			give_up("no memory");
	}
	memcpy(d->said + d->said_len, bytes, len);
	d->said_len += len;
}

/* ---- the loop ---- */

/* Reads what there is, after waiting for it; true if something came. */
static bool read_some(struct drive *d, int wait_ms, bool *writable)
{
	char bytes[CHUNK];
	struct pollfd p = { .fd = d->master, .events = POLLIN | (writable ? POLLOUT : 0) };
	bool came = false;

	if (d->master < 0) {
		poll(NULL, 0, wait_ms);
		return false;
	}
	if (poll(&p, 1, wait_ms) > 0 && (p.revents & POLLIN)) {
		ssize_t n = read(d->master, bytes, sizeof(bytes));
		if (n > 0) {
			note_output(d, bytes, (size_t)n);
			came = true;
		}
	}
	if (writable)
		*writable = (p.revents & POLLOUT) != 0;
	return came;
}

/* False when the command has ended or the time is over. */
static bool goes_on(struct drive *d)
{
	if (!d->ended && waitpid(d->pid, &d->status, WNOHANG) == d->pid)
		d->ended = true;
	if (d->ended || d->failed)
		return false;
	if (now_ms() < d->limit_ms)
		return true;
	fail(d, "time is over:", "the command goes on");
	kill(d->pid, SIGKILL);
	return false;
}

static void type_bytes(struct drive *d, const char *bytes, size_t len)
{
	bool writable;

	while (len > 0 && d->master >= 0 && goes_on(d)) {
		read_some(d, 20, &writable);
		if (!writable)
			continue;
		ssize_t n = write(d->master, bytes, len < 256 ? len : 256);
		if (n > 0) {
			d->typed += (size_t)n;
			bytes += n;
			len -= (size_t)n;
		}
	}
}

/* ---- the script ---- */

static size_t decode_text(char *text)
{
	static const char names[] = "ernts\\", values[] = "\033\r\n\t \\";
	char *out = text, *from = text;

	while (*from != '\0') {
		const char *name = from[0] == '\\' && from[1] != '\0' ? strchr(names, from[1])
								     : NULL;
		unsigned byte;
		if (name != NULL) {
			*out++ = values[name - names];
			from += 2;
		} else if (from[0] == '\\' && from[1] == 'x' && sscanf(from + 2, "%2x", &byte) == 1) {
			*out++ = (char)byte;
			from += 4;
		} else {
			*out++ = *from++;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static size_t random_key(uint64_t *state, char key[16])
{
	static const char *const sequences[] = {
		"\033OA", "\033OB", "\033OC", "\033OD", "\033[A", "\033[B", "\033[5~", "\033[6~",
		"\033OH", "\033OF", "\033[1~", "\033[4~", "\033[3~", "\033[Z", "\033OP", "\033OQ",
		"\033OR", "\033OS", "\033[15~", "\033[17~", "\033[18~", "\033[19~", "\033[20~",
		"\033[25~", "\033[1;5A", "\033[99;99;99u", "\033[M !!", "\033[<64;3;3M", "\033[?1;2c",
		"\033]11;rgb:0\a", "\033[[A", "\xc3\xa9", "\xe6\xbc\xa2", "\xff", "\xc3(", "\x9b\x32\x35~",
		"\033", "\033\033",
	};
	uint32_t kind = next_random(state) % 100;
	const char *text;

	if (kind < 75) {
		key[0] = (char)(0x20 + next_random(state) % 95);
		return 1;
	}
	if (kind < 85) {
		key[0] = (char)(next_random(state) % 27);
		return 1;
	}
	text = sequences[next_random(state) % (sizeof(sequences) / sizeof(sequences[0]))];
	snprintf(key, 16, "%s", text);
	return strlen(key);
}

static void type_random(struct drive *d, const char *words)
{
	char without[LINE_SIZE] = "", key[16], chunk[CHUNK];
	unsigned long count, seed;
	size_t used = 0;

	if (sscanf(words, "%lu %lu %8191s", &count, &seed, without) < 2)
		give_up("random N SEED [TEXT]");
	size_t without_len = decode_text(without);
	uint64_t state = seed;
	for (unsigned long done = 0; done < count;) {
		size_t len = random_key(&state, key);
		bool wanted = true;
		for (size_t i = 0; i < len; i++)
			wanted = wanted && memchr(without, key[i], without_len) == NULL;
		if (!wanted)
			continue;
		memcpy(chunk + used, key, len);
		used += len;
		done++;
		if (used > sizeof(chunk) - sizeof(key)) {
			type_bytes(d, chunk, used);
			used = 0;
		}
	}
	type_bytes(d, chunk, used);
}

static void type_file(struct drive *d, const char *path)
{
	char bytes[CHUNK];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		give_up("%s: %s", path, strerror(errno));
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		type_bytes(d, bytes, (size_t)n);
	close(fd);
}

static void expect_text(struct drive *d, char *text)
{
	char shown[LINE_SIZE];

	snprintf(shown, sizeof(shown), "%s", text);
	size_t len = decode_text(text);
	for (;;) {
		char *at = d->said_len > 0 ? memmem(d->said, d->said_len, text, len) : NULL;
		if (at != NULL) {
			at += len;
			d->said_len -= (size_t)(at - d->said);
			memmove(d->said, at, d->said_len);
			return;
		}
		if (!read_some(d, 50, NULL) && !goes_on(d))
			break;
	}
	fail(d, "was not written:", shown);
}

static void wait_quiet(struct drive *d, int ms)
{
	int64_t since = now_ms();

	while (now_ms() - since < ms && goes_on(d)) {
		if (read_some(d, 10, NULL))
			since = now_ms();
	}
}

static void send_signal(struct drive *d, const char *name)
{
	static const struct { const char *name; int sig; } table[] = {
		{ "TERM", SIGTERM }, { "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
		{ "SEGV", SIGSEGV }, { "ABRT", SIGABRT }, { "BUS", SIGBUS }, { "FPE", SIGFPE },
		{ "ILL", SIGILL }, { "WINCH", SIGWINCH }, { "TSTP", SIGTSTP }, { "CONT", SIGCONT },
		{ "USR1", SIGUSR1 }, { "KILL", SIGKILL },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].name, name) == 0) {
			kill(d->pid, table[i].sig);
			return;
		}
	}
	give_up("there is no signal %s", name);
}

static struct winsize parse_size(const char *text)
{
	struct winsize size = { 0 };

	if (sscanf(text, "%hux%hu", &size.ws_row, &size.ws_col) != 2)
		give_up("a size is ROWSxCOLS, not %s", text);
	return size;
}

static void wait_end(struct drive *d)
{
	while (goes_on(d))
		read_some(d, 20, NULL);
	if (!d->ended)
		waitpid(d->pid, &d->status, 0);
	d->ended = true;
	while (read_some(d, 0, NULL))
		;
}

static void play_line(struct drive *d, char *line)
{
	size_t len = strcspn(line, " ");
	char *rest = line + len + (line[len] == ' ');

	if (line[0] == '#' || line[0] == '\0')
		return;
	line[len] = '\0';
	if (strcmp(line, "keys") == 0) {
		size_t n = decode_text(rest);
		type_bytes(d, rest, n);
	} else if (strcmp(line, "random") == 0) {
		type_random(d, rest);
	} else if (strcmp(line, "file") == 0) {
		type_file(d, rest);
	} else if (strcmp(line, "expect") == 0) {
		expect_text(d, rest);
	} else if (strcmp(line, "quiet") == 0) {
		wait_quiet(d, atoi(rest));
	} else if (strcmp(line, "signal") == 0) {
		send_signal(d, rest);
	} else if (strcmp(line, "size") == 0) {
		struct winsize size = parse_size(rest);
		ioctl(d->master, TIOCSWINSZ, &size);
	} else if (strcmp(line, "hangup") == 0) {
		close(d->master);
		d->master = -1;
	} else if (strcmp(line, "end") == 0) {
		wait_end(d);
	} else {
		give_up("there is no '%s' in a script", line);
	}
}

static void play(struct drive *d, FILE *script)
{
	char line[LINE_SIZE];

	while (!d->failed && fgets(line, sizeof(line), script) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		play_line(d, line);
	}
	if (d->failed && !d->ended)
		kill(d->pid, SIGKILL);
	wait_end(d);
}

/* ---- beginning and end ---- */

static void start(struct drive *d, struct winsize *size, const char *term, char **command)
{
	if (openpty(&d->master, &d->slave, NULL, NULL, size) != 0)
		give_up("no terminal: %s", strerror(errno));
	fcntl(d->master, F_SETFD, FD_CLOEXEC);
	fcntl(d->master, F_SETFL, O_NONBLOCK);
	tcgetattr(d->slave, &d->before);
	d->pid = fork();
	if (d->pid < 0)
		give_up("fork: %s", strerror(errno));
	if (d->pid == 0) {
		setsid();
		ioctl(d->slave, TIOCSCTTY, 0);
		for (int fd = 0; fd < 3; fd++)
			dup2(d->slave, fd);
		if (d->slave > 2)
			close(d->slave);
		setenv("TERM", term, 1);
		unsetenv("LINES");
		unsetenv("COLUMNS");
		execvp(command[0], command);
		_exit(127);
	}
	fcntl(d->slave, F_SETFD, FD_CLOEXEC);
}

static bool same_modes(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static void report(const struct drive *d)
{
	struct termios after = { 0 };
	const char *separator = "modes=", *r = d->rendition;

	if (WIFSIGNALED(d->status))
		printf("signal=%d\n", WTERMSIG(d->status));
	else
		printf("exit=%d\n", WEXITSTATUS(d->status));
	/* The session's end may leave the terminal hung up for all who had it open. */
	if (tcgetattr(d->slave, &after) == 0)
		printf("termios=%s\n", same_modes(&d->before, &after) ? "same" : "changed");
	else
		printf("termios=gone\n");
	for (size_t i = 0; i < d->mode_count; i++) {
		if (d->modes[i].set != d->modes[i].set_first) {
			printf("%s%d%c", separator, d->modes[i].number, d->modes[i].set ? 'h' : 'l');
			separator = ",";
		}
	}
	puts(separator[0] == 'm' ? "modes=clean" : "");
	printf("keypad=%s\n", d->application ? "application" : "normal");
	bool normal = r[0] == '\0' || strcmp(r, "m") == 0 || strcmp(r, "0m") == 0;
	printf("rendition=%s\n", normal ? "normal" : r);
	printf("typed=%zu\nwritten=%zu\n", d->typed, d->written);
}

int main(int argc, char **argv)
{
	struct drive d = { .record = -1 };
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	const char *term = "xterm-256color", *script = "-";
	int option, seconds = 60;

	while ((option = getopt(argc, argv, "+s:t:o:i:T:")) != -1) {
		switch (option) {
		case 's': size = parse_size(optarg); break;
		case 't': term = optarg; break;
		case 'o':
			d.record = open(optarg, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
			break;
		case 'i': script = optarg; break;
		case 'T': seconds = atoi(optarg); break;
		default: return 2;
		}
	}
	if (optind >= argc)
		give_up("ptydrive [options] -- COMMAND [WORD...], see the head of ptydrive.c");
	FILE *lines = strcmp(script, "-") == 0 ? stdin : fopen(script, "re");
	if (lines == NULL)
		give_up("%s: %s", script, strerror(errno));
	d.limit_ms = now_ms() + (int64_t)seconds * 1000;
	start(&d, &size, term, argv + optind);
	play(&d, lines);
	report(&d);
	free(d.said);
	return d.failed ? 1 : 0;
}
