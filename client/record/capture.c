#include "client/record/capture.h"

#include "client/say.h"
#include "proto/keyfile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	BUFFER_SIZE = 8 << 20,
	NOBODY = 65534,
	FILTER_SIZE = 256,
	TEXT_SIZE = 512,
};

struct capture {
	pcap_t *pcap;
	bool live;
	char name[128];
};

static struct capture *make_capture(pcap_t *pcap, const char *name, bool live)
{
	struct capture *c = say_calloc(1, sizeof(*c));

	c->pcap = pcap;
	c->live = live;
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

/* ---- opening ---- */

static int refuse_interface(const char *name, int rc, const char *why, char *err, size_t err_size)
{
	char what[TEXT_SIZE], hint[TEXT_SIZE] = "one of: any";
	struct if_nameindex *all;

	snprintf(what, sizeof(what), "cannot capture on interface %s", name);
	if (rc == PCAP_ERROR_PERM_DENIED || rc == PCAP_ERROR_PROMISC_PERM_DENIED)
		return keyfile_error(err, err_size, -EPERM, what,
				     "capturing needs root or CAP_NET_RAW",
				     "sudo chime-record -i ...    (rights go once it is open)");
	if (rc != PCAP_ERROR_NO_SUCH_DEVICE)
		return keyfile_error(err, err_size, -EIO, what, why, rc == PCAP_ERROR_IFACE_NOT_UP ?
				     "ip link set dev IF up" : NULL);
	all = if_nameindex();
	for (struct if_nameindex *i = all; i && i->if_name; i++) {
		size_t len = strlen(hint);
		snprintf(hint + len, sizeof(hint) - len, " %s", i->if_name);
	}
	if_freenameindex(all);
	return keyfile_error(err, err_size, -ENODEV, what, "there is no such interface", hint);
}

int capture_open_interface(struct capture **out, const char *name, char *err, size_t err_size)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(name, why);
	int rc;

	if (!pcap)
		return refuse_interface(name, PCAP_ERROR, why, err, err_size);
	pcap_set_snaplen(pcap, CAPTURE_SNAP);
	pcap_set_immediate_mode(pcap, 1);
	pcap_set_buffer_size(pcap, BUFFER_SIZE);
	rc = pcap_activate(pcap);
	if (rc >= 0 && pcap_setnonblock(pcap, 1, why) < 0)
		rc = PCAP_ERROR;
	if (rc < 0) {
		rc = refuse_interface(name, rc, why[0] ? why : pcap_geterr(pcap), err, err_size);
		pcap_close(pcap);
		return rc;
	}
	*out = make_capture(pcap, name, true);
	return 0;
}

int capture_open_stream(struct capture **out, FILE *file, const char *name, char *err,
			size_t err_size)
{
	char why[PCAP_ERRBUF_SIZE] = "", what[TEXT_SIZE];
	pcap_t *pcap = pcap_fopen_offline(file, why);

	if (pcap) {
		*out = make_capture(pcap, name, false);
		return 0;
	}
	fclose(file);
	snprintf(what, sizeof(what), "cannot read the capture %s", name);
	return keyfile_error(err, err_size, -EINVAL, what, why,
			     "a file written by chime-record -w, tcpdump -w or Wireshark");
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	pcap_close(capture->pcap);
	free(capture);
}

/* ---- filter ---- */

static bool is_address(const char *text)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

int capture_filter(struct capture *capture, uint16_t port, const char *group, char *err,
		   size_t err_size)
{
	char text[FILTER_SIZE], what[TEXT_SIZE];
	struct bpf_program program;
	int rc;

	if (group && !is_address(group)) {
		snprintf(what, sizeof(what), "%s is no group", group);
		return keyfile_error(err, err_size, -EINVAL, what, "it is not an IP address",
				     "chime-record --group 239.255.77.77");
	}
	if (group)
		snprintf(text, sizeof(text), "udp port %u and (dst host %s or not "
			 "(dst net 224.0.0.0/4 or dst net ff00::/8))", port, group);
	else
		snprintf(text, sizeof(text), "udp port %u", port);
	rc = pcap_compile(capture->pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN);
	if (rc == 0) {
		rc = pcap_setfilter(capture->pcap, &program);
		pcap_freecode(&program);
	}
	if (rc == 0)
		return 0;
	snprintf(what, sizeof(what), "cannot filter %s by port %u", capture->name, port);
	return keyfile_error(err, err_size, -EIO, what, pcap_geterr(capture->pcap), NULL);
}

/* ---- rights ---- */

static int drop_failed(const char *step, char *err, size_t err_size)
{
	char why[TEXT_SIZE];
	int rc = -errno;

	snprintf(why, sizeof(why), "%s: %s", step, strerror(-rc));
	return keyfile_error(err, err_size, rc, "cannot give up the rights of root; nothing was "
			     "captured", why, NULL);
}

/* The number in an environment variable sudo sets; 0 when it is not there. */
static unsigned long read_id(const char *name)
{
	const char *text = getenv(name);
	char *end;
	unsigned long id;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	id = strtoul(text, &end, 10);
	return errno || *end || id >= UINT32_MAX ? 0 : id;
}

bool capture_by_sudo(void)
{
	return geteuid() == 0 && read_id("SUDO_UID") && read_id("SUDO_GID");
}

/* Who to be afterwards. */
static int choose_user(const char *user, unsigned long *uid, unsigned long *gid, char *err,
		       size_t err_size)
{
	const struct passwd *entry;
	char what[TEXT_SIZE];

	if (!user && capture_by_sudo()) {
		*uid = read_id("SUDO_UID");
		*gid = read_id("SUDO_GID");
		return 0;
	}
	entry = getpwnam(user ? user : "nobody");
	*uid = entry ? entry->pw_uid : NOBODY;
	*gid = entry ? entry->pw_gid : NOBODY;
	if (!user || (entry && *uid != 0))
		return 0;
	snprintf(what, sizeof(what), "cannot go on as %s", user);
	return keyfile_error(err, err_size, -EINVAL, what, entry ? "that is root, whose rights are "
			     "given up" : "there is no such user", NULL);
}

static int become_ordinary(const char *user, char *err, size_t err_size)
{
	unsigned long uid, gid;
	int rc = choose_user(user, &uid, &gid, err, err_size);

	if (rc < 0)
		return rc;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return drop_failed("setgroups", err, err_size);
	/* EINVAL: a user namespace that has no other user. Root of such a one is root of nothing
	 * else, and its capabilities go below. */
	if (setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 && errno != EINVAL)
		return drop_failed("setresgid", err, err_size);
	if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0 && errno != EINVAL)
		return drop_failed("setresuid", err, err_size);
	return 0;
}

int capture_drop_rights(const char *user, char *err, size_t err_size)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };
	int rc = geteuid() == 0 ? become_ordinary(user, err, err_size) : 0;

	if (rc < 0)
		return rc;
	if (syscall(SYS_capset, &header, none) < 0)
		return drop_failed("capset", err, err_size);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return drop_failed("no_new_privs", err, err_size);
	return 0;
}

/* ---- packets ---- */

int capture_link_type(const struct capture *capture)
{
	return pcap_datalink(capture->pcap);
}

static int64_t read_time(const struct timeval *tv)
{
	int64_t seconds = tv->tv_sec, us = tv->tv_usec;

	if (seconds < 0 || us < 0)
		return 0;
	if (seconds >= CAPTURE_TIME_MAX / 1000000 || us >= 1000000)
		return CAPTURE_TIME_MAX;
	return seconds * 1000000 + us;
}

/* All packets that are there: 1 go on, 0 fn has enough or the file ended, -errno. */
static int take_packets(struct capture *c, capture_fn *fn, void *arg, char *err, size_t err_size)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	char what[TEXT_SIZE];
	int got;

	while ((got = pcap_next_ex(c->pcap, &header, &bytes)) == 1) {
		/* Invariants of a savefile that libpcap need not have checked. */
		const struct capture_packet packet = {
			.wall_us = read_time(&header->ts),
			.bytes = bytes,
			.len = header->caplen < header->len ? header->caplen : header->len,
			.wire_len = header->len,
		};

		if (!fn(arg, &packet))
			return 0;
	}
	if (got == 0)
		return 1;
	if (got == PCAP_ERROR_BREAK)
		return 0;
	snprintf(what, sizeof(what), c->live ? "the capture on %s broke off" :
		 "the capture %s is damaged; what is before that was read", c->name);
	return keyfile_error(err, err_size, c->live ? -EIO : -EBADMSG, what,
			     pcap_geterr(c->pcap), NULL);
}

static int run_live(struct capture *c, capture_fn *fn, void *arg, char *err, size_t err_size)
{
	struct signalfd_siginfo taken;
	struct pollfd polled[2] = { { .events = POLLIN }, { .events = POLLIN } };
	sigset_t ends, before;
	int rc = 1;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, &before);
	polled[0].fd = pcap_get_selectable_fd(c->pcap);
	polled[1].fd = signalfd(-1, &ends, SFD_CLOEXEC);
	if (polled[0].fd < 0 || polled[1].fd < 0)
		rc = keyfile_error(err, err_size, -EIO, "cannot wait for packets", strerror(errno),
				   NULL);
	while (rc > 0) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			rc = keyfile_error(err, err_size, -errno, "cannot wait for packets",
					   strerror(errno), NULL);
		else if (polled[1].revents)
			rc = 0;
		else
			rc = take_packets(c, fn, arg, err, err_size);
	}
	/* Taken: else it would come again, and end everything, once it is let through. */
	if (polled[1].fd >= 0 && rc == 0 && polled[1].revents)
		(void)!read(polled[1].fd, &taken, sizeof(taken));
	if (polled[1].fd >= 0)
		close(polled[1].fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int capture_run(struct capture *capture, capture_fn *fn, void *arg, char *err, size_t err_size)
{
	int rc;

	if (capture->live)
		return run_live(capture, fn, arg, err, err_size);
	rc = take_packets(capture, fn, arg, err, err_size);
	return rc < 0 ? rc : 0;
}

uint64_t capture_dropped(const struct capture *capture)
{
	struct pcap_stat stat = { 0 };

	if (!capture->live || pcap_stats(capture->pcap, &stat) < 0)
		return 0;
	return (uint64_t)stat.ps_drop + stat.ps_ifdrop;
}
