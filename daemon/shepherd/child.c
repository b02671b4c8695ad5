#include "daemon/shepherd/child.h"

#include "proto/names.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum child_stage {
	STAGE_SESSION = 1,
	STAGE_STDIO,
	STAGE_GROUPS,
	STAGE_GID,
	STAGE_UID,
	STAGE_VERIFY,
	STAGE_DIR,
	STAGE_EXEC,
};

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* The names a `run` list may refer to: the first entries of the environment. */
enum { GIVEN_COUNT = 8 };

const char *child_stage_name(int stage)
{
	static const char *const names[] = {
		[STAGE_SESSION] = "setsid",	[STAGE_STDIO] = "descriptors",
		[STAGE_GROUPS] = "setgroups",	[STAGE_GID] = "setgid",
		[STAGE_UID] = "setuid",		[STAGE_VERIFY] = "user switch",
		[STAGE_DIR] = "chdir",		[STAGE_EXEC] = "exec",
	};

	if (stage < 1 || (size_t)stage >= sizeof(names) / sizeof(names[0]))
		return "start";
	return names[stage];
}

static char *copy_text(const char *text)
{
	char *copy = strdup(text);

	assert(copy);
	return copy;
}

static char *join_text(const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;
	char *text = malloc(size);

	assert(text);
	snprintf(text, size, "%s=%s", name, value);
	return text;
}

/* A name that passwd can't mistake for a number, and ls can't for an option. */
static bool is_user_name(const char *name)
{
	bool letter = false;

	if (!*name || *name == '-' || *name == '+')
		return false;
	for (const char *at = name; *at; at++) {
		if (!isgraph((unsigned char)*at) || strchr(":/,\\\"'", *at))
			return false;
		letter |= !isdigit((unsigned char)*at);
	}
	return letter;
}

/* 0 or errno; *found is NULL when there is no such user. */
static int look_up(const char *name, uid_t uid, struct passwd *entry, char **buffer,
		   struct passwd **found)
{
	size_t size = 16384;
	int r;

	for (*buffer = NULL; ; size *= 2) {
		char *grown = realloc(*buffer, size);

		assert(grown);
		*buffer = grown;
		r = name ? getpwnam_r(name, entry, *buffer, size, found) :
			   getpwuid_r(uid, entry, *buffer, size, found);
		if (r != ERANGE || size > 1 << 20)
			break;
	}
	/* What getpwnam(3) lists as other words for "not found". */
	if (!*found && (r == ENOENT || r == ESRCH || r == EBADF || r == EPERM))
		r = 0;
	return r;
}

static int list_groups(struct child_plan *plan)
{
	int count = 64;

	for (;;) {
		int asked = count;

		plan->groups = reallocarray(plan->groups, (size_t)count, sizeof(gid_t));
		assert(plan->groups);
		if (getgrouplist(plan->user, plan->gid, plan->groups, &count) >= 0)
			break;
		if (count <= asked || count > 65536)
			return E2BIG;
	}
	plan->group_count = count;
	return 0;
}

static void take_user(struct child_plan *plan, const struct passwd *entry)
{
	plan->uid = entry->pw_uid;
	plan->gid = entry->pw_gid;
	plan->user = copy_text(entry->pw_name);
	plan->home = copy_text(entry->pw_dir && entry->pw_dir[0] == '/' ? entry->pw_dir : "/");
	plan->shell = copy_text(entry->pw_shell && *entry->pw_shell ? entry->pw_shell : "/bin/sh");
}

/* As root: the user the definition names. */
static int plan_switch(const char *name, struct child_plan *plan, char *detail, size_t size)
{
	struct passwd entry, *found = NULL;
	char *buffer = NULL;
	int r = EINVAL;

	if (!name || !*name) {
		snprintf(detail, size, "user: missing, and the launcher is root");
		return r;
	}
	if (!is_user_name(name)) {
		snprintf(detail, size, "user %s: not a user name", name);
		return r;
	}
	r = look_up(name, 0, &entry, &buffer, &found);
	if (r) {
		snprintf(detail, size, "user %s: %s", name, strerror(r));
	} else if (!found || strcmp(entry.pw_name, name) != 0) {
		snprintf(detail, size, "user %s: no such user", name);
		r = ENOENT;
	} else if (entry.pw_uid == (uid_t)-1 || entry.pw_gid == (gid_t)-1) {
		snprintf(detail, size, "user %s: its uid or gid is -1", name);
		r = EINVAL;
	} else if (entry.pw_uid == 0 && strcmp(name, "root") != 0) {
		snprintf(detail, size, "user %s: has uid 0, which only `user: root` may", name);
		r = EPERM;
	} else {
		plan->switches = true;
		take_user(plan, &entry);
		r = list_groups(plan);
		if (r)
			snprintf(detail, size, "user %s: groups: %s", name, strerror(r));
	}
	free(buffer);
	return r;
}

/* Not as root: ourselves. */
static int plan_self(const char *name, struct child_plan *plan, char *detail, size_t size)
{
	struct passwd entry, *found = NULL;
	char *buffer = NULL, number[16];
	int r = look_up(NULL, geteuid(), &entry, &buffer, &found);

	if (!r && found) {
		take_user(plan, &entry);
	} else {
		/* A uid without a name, as in containers, may run things all the same. */
		r = 0;
		snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
		plan->user = copy_text(number);
		plan->home = copy_text("/");
		plan->shell = copy_text("/bin/sh");
	}
	if (name && strcmp(name, plan->user) != 0) {
		snprintf(detail, size, "user %s: the launcher runs as %s and can't switch", name,
			 plan->user);
		r = EPERM;
	}
	free(buffer);
	return r;
}

/* Sets NAME=value in the list, over an entry of the same name. Takes `text`. */
static void put_variable(char **envp, size_t *count, char *text)
{
	size_t len = strcspn(text, "=") + 1;

	for (size_t i = 0; i < *count; i++) {
		if (strncmp(envp[i], text, len) == 0) {
			free(envp[i]);
			envp[i] = text;
			return;
		}
	}
	envp[(*count)++] = text;
}

/* The CHIME_ variables come first, so that ${...} finds them, and nothing replaces them. */
static void make_environment(const struct spool_spec *spec, struct child_plan *plan)
{
	char run[24], attempt[16], slot[NAME_INSTANT_SIZE] = "";
	size_t count = 0, given = 0;

	while (spec->env && spec->env[given])
		given++;
	plan->envp = calloc(GIVEN_COUNT + 6 + given + 1, sizeof(char *));
	assert(plan->envp);
	snprintf(run, sizeof(run), "%" PRIu64, spec->id.seq);
	snprintf(attempt, sizeof(attempt), "%" PRIu32, spec->id.attempt);
	if (spec->slot_utc_s > INT64_MIN / 1000000 && spec->slot_utc_s < INT64_MAX / 1000000)
		instant_format(spec->slot_utc_s * 1000000, slot);
	put_variable(plan->envp, &count, join_text("CHIME_JOB", spec->job));
	put_variable(plan->envp, &count, join_text("CHIME_RUN", run));
	put_variable(plan->envp, &count, join_text("CHIME_ATTEMPT", attempt));
	put_variable(plan->envp, &count, join_text("CHIME_SERVER", spec->server));
	put_variable(plan->envp, &count, join_text("CHIME_ENVIRONMENT", spec->environment));
	put_variable(plan->envp, &count, join_text("CHIME_CYCLE", spec->cycle));
	put_variable(plan->envp, &count, join_text("CHIME_SLOT", slot));
	put_variable(plan->envp, &count, join_text("CHIME_CAUSE", spec->cause));
	assert(count == GIVEN_COUNT);
	put_variable(plan->envp, &count, join_text("PATH", default_path));
	put_variable(plan->envp, &count, join_text("HOME", plan->home));
	put_variable(plan->envp, &count, join_text("USER", plan->user));
	put_variable(plan->envp, &count, join_text("LOGNAME", plan->user));
	put_variable(plan->envp, &count, join_text("SHELL", plan->shell));
	put_variable(plan->envp, &count, join_text("LANG", "C.UTF-8"));
	for (size_t i = 0; i < given; i++) {
		if (strncmp(spec->env[i], "CHIME_", 6) == 0 || !strchr(spec->env[i], '='))
			continue;
		put_variable(plan->envp, &count, copy_text(spec->env[i]));
	}
}

/* The value of the ${NAME} that `text` begins with, or NULL; *len = length of the reference. */
static const char *find_given(const struct child_plan *plan, const char *text, size_t *len)
{
	size_t name = strcspn(text + 2, "}");

	if (text[2 + name] != '}')
		return NULL;
	for (size_t i = 0; i < GIVEN_COUNT; i++) {
		const char *entry = plan->envp[i];

		if (strncmp(entry, text + 2, name) == 0 && entry[name] == '=') {
			*len = name + 3;
			return entry + name + 1;
		}
	}
	return NULL;
}

static char *substitute(const struct child_plan *plan, const char *text)
{
	size_t len = 0, size = 0;
	char *out = NULL;
	FILE *stream = open_memstream(&out, &size);

	assert(stream);
	while (*text) {
		const char *value = NULL;

		if (strncmp(text, "${", 2) == 0)
			value = find_given(plan, text, &len);
		if (value) {
			fputs(value, stream);
			text += len;
		} else {
			fputc(*text++, stream);
		}
	}
	fclose(stream);
	assert(out);
	return out;
}

static void make_arguments(const struct spool_spec *spec, struct child_plan *plan)
{
	size_t count = 0;

	while (spec->run[count])
		count++;
	plan->argv = calloc(count + 3, sizeof(char *));
	assert(plan->argv);
	if (spec->run_is_text) {
		plan->argv[0] = copy_text(spec->shell ? spec->shell : "/bin/sh");
		plan->argv[1] = copy_text("-c");
		plan->argv[2] = copy_text(spec->run[0]);
		return;
	}
	for (size_t i = 0; i < count; i++)
		plan->argv[i] = substitute(plan, spec->run[i]);
}

int child_plan_make(const struct spool_spec *spec, struct child_plan *plan, char *detail,
		    size_t size)
{
	int r;

	*plan = (struct child_plan){ .dir = spec->dir };
	if (getuid() != geteuid() || getgid() != getegid()) {
		snprintf(detail, size, "the shepherd was started set-uid");
		return EPERM;
	}
	r = geteuid() == 0 ? plan_switch(spec->user, plan, detail, size) :
			     plan_self(spec->user, plan, detail, size);
	if (r)
		return r;
	make_environment(spec, plan);
	make_arguments(spec, plan);
	return 0;
}

static void free_list(char **list)
{
	for (char **at = list; at && *at; at++)
		free(*at);
	free(list);
}

void child_plan_fini(struct child_plan *plan)
{
	free_list(plan->argv);
	free_list(plan->envp);
	free(plan->groups);
	free(plan->user);
	free(plan->home);
	free(plan->shell);
	*plan = (struct child_plan){ 0 };
}

/* ---- in the child: system calls only -------------------------------------------------------- */

static _Noreturn void fail(int fd, enum child_stage stage, int error)
{
	struct child_failure failure = { .stage = (int32_t)stage, .error = error };

	if (write(fd, &failure, sizeof(failure)) != sizeof(failure))
		_exit(126);
	_exit(127);
}

static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* 0, 1, 2 for the job, 3 for telling of a failure (closed by exec); nothing else is left open. */
static int arrange_fds(const struct child_fds *fds)
{
	if (dup2(fds->null, 0) < 0 || dup2(fds->out, 1) < 0 || dup2(fds->err, 2) < 0 ||
	    dup3(fds->failure, 3, O_CLOEXEC) < 0)
		return -errno;
	closefrom(4);
	return 0;
}

static int compare_gids(const void *a, const void *b)
{
	const gid_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* That the kernel did exactly what was asked, and lets nobody back. */
static bool is_switched(const struct child_plan *plan)
{
	uid_t r, e, s;
	gid_t rg, eg, sg, have[256];
	int count;

	if (getresuid(&r, &e, &s) || r != plan->uid || e != plan->uid || s != plan->uid)
		return false;
	if (getresgid(&rg, &eg, &sg) || rg != plan->gid || eg != plan->gid || sg != plan->gid)
		return false;
	if (plan->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return false;
	count = getgroups(0, NULL);
	if (count != plan->group_count)
		return false;
	if (count > 256)
		return true;	/* the number must do: no allocation after the fork */
	if (getgroups(256, have) != count)
		return false;
	qsort(have, (size_t)count, sizeof(gid_t), compare_gids);
	return memcmp(have, plan->groups, (size_t)count * sizeof(gid_t)) == 0;
}

static void switch_user(const struct child_plan *plan)
{
	/* Sorted in this copy of the memory, to be compared with what the kernel keeps sorted. */
	qsort(plan->groups, (size_t)plan->group_count, sizeof(gid_t), compare_gids);
	if (setgroups((size_t)plan->group_count, plan->groups))
		fail(3, STAGE_GROUPS, errno);
	if (setresgid(plan->gid, plan->gid, plan->gid))
		fail(3, STAGE_GID, errno);
	if (setresuid(plan->uid, plan->uid, plan->uid))
		fail(3, STAGE_UID, errno);
	if (!is_switched(plan))
		fail(3, STAGE_VERIFY, EPERM);
}

static void enter_dir(const struct child_plan *plan)
{
	if (plan->dir && chdir(plan->dir))
		fail(3, STAGE_DIR, errno);
	if (!plan->dir && chdir(plan->home) && chdir("/"))
		fail(3, STAGE_DIR, errno);
}

static const char *find_variable(char **envp, const char *name)
{
	size_t len = strlen(name);

	for (; *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

/* execve along the job's own PATH, without execvp's detour over a shell. */
static int execute(char **argv, char **envp)
{
	const char *path = find_variable(envp, "PATH");
	char file[4096];
	int error = ENOENT;

	if (!*argv[0])
		return ENOENT;
	if (strchr(argv[0], '/')) {
		execve(argv[0], argv, envp);
		return errno;
	}
	while (path && *path) {
		int len = (int)strcspn(path, ":");

		if (len && (size_t)snprintf(file, sizeof(file), "%.*s/%s", len, path, argv[0]) <
			   sizeof(file)) {
			execve(file, argv, envp);
			if (errno == EACCES)
				error = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		path += len;
		path += *path == ':';
	}
	return error;
}

_Noreturn void child_exec(const struct child_plan *plan, const struct child_fds *fds)
{
	int r = arrange_fds(fds);

	if (r)
		fail(fds->failure, STAGE_STDIO, -r);
	if (setsid() < 0)
		fail(3, STAGE_SESSION, errno);
	if (plan->switches)
		switch_user(plan);
	umask(022);
	enter_dir(plan);
	reset_signals();
	fail(3, STAGE_EXEC, execute(plan->argv, plan->envp));
}
