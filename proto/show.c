/*
 * show.c - see show.h.
 */
#include "proto/show.h"

#include "proto/names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A line under construction: cut, never overflowed. */
struct line {
	char *text;
	size_t size, len;
	bool full;
};

static void add_bytes(struct line *line, const char *text, size_t len)
{
	if (line->full)
		return;
	if (len >= line->size - line->len) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->len, text, len);
	line->len += len;
	line->text[line->len] = '\0';
}

static void add_text(struct line *line, const char *text)
{
	add_bytes(line, text, strlen(text));
}

__attribute__((format(printf, 2, 3)))
static void add_format(struct line *line, const char *format, ...)
{
	char piece[96];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(piece, sizeof(piece), format, ap);
	va_end(ap);
	if (n > 0)
		add_bytes(line, piece, (size_t)n < sizeof(piece) ? (size_t)n : sizeof(piece) - 1);
}

/* Length of the well-formed, harmless character at p, 0 if there is none (RFC 3629). */
static size_t safe_character(const unsigned char *p, size_t left)
{
	uint32_t c = p[0];
	size_t n;

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f ? 1 : 0;
	if (c >= 0xc2 && c <= 0xdf) {
		n = 2;
		c &= 0x1f;
	} else if (c >= 0xe0 && c <= 0xef) {
		n = 3;
		c &= 0x0f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		n = 4;
		c &= 0x07;
	} else {
		return 0;
	}
	if (left < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0;
	if ((c >= 0xd800 && c <= 0xdfff) || c < 0xa0)	/* surrogates, C1 */
		return 0;
	/* Line separators, marks and overrides that reorder what is around them. */
	if ((c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
	    c == 0x200f || c == 0x61c || c == 0xfeff)
		return 0;
	return n;
}

size_t show_clean(const char *text, size_t len, char *out, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < len;) {
		size_t n = safe_character(p + i, len - i);
		if (n > 0) {
			if (used + n >= size)
				break;
			memcpy(out + used, p + i, n);
			used += n;
			i += n;
			continue;
		}
		if (used + 4 >= size)
			break;
		out[used++] = '\\';
		out[used++] = 'x';
		out[used++] = hex[p[i] >> 4];
		out[used++] = hex[p[i] & 15];
		i++;
	}
	out[used] = '\0';
	return used;
}

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);
	return a >= b && memcmp(text + a - b, end, b) == 0;
}

enum show_unit show_field_unit(const ProtobufCFieldDescriptor *field)
{
	static const char *const instants[] = {
		"time", "started", "ended", "expires", "since", "heard", "created", "wall_us",
	};

	if (field->type != PROTOBUF_C_TYPE_INT64)
		return SHOW_PLAIN;
	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		if (strcmp(field->name, instants[i]) == 0)
			return SHOW_WALL_US;
	}
	if (ends_with(field->name, "_time") || strcmp(field->name, "next") == 0)
		return SHOW_WALL_S;
	if (ends_with(field->name, "_us") && strcmp(field->name, "boot_us") != 0)
		return SHOW_SPAN_US;
	return SHOW_PLAIN;
}

const char *show_enum_name(const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(descriptor, value);

	if (found == NULL)
		return NULL;
	const char *end = strchr(found->name, '_');
	return end != NULL ? end + 1 : found->name;
}

const char *show_run_state(Chime__RunState state)
{
	const char *name = show_enum_name(&chime__run_state__descriptor, (int)state);
	return name != NULL && state != CHIME__RUN_STATE__RUN_NONE ? name : "UNKNOWN";
}

const char *show_cause(Chime__Cause cause)
{
	switch (cause) {
	case CHIME__CAUSE__CAUSE_SCHEDULE:
		return "schedule";
	case CHIME__CAUSE__CAUSE_CONDITION:
		return "condition";
	case CHIME__CAUSE__CAUSE_FORCE:
		return "force";
	case CHIME__CAUSE__CAUSE_RERUN:
		return "rerun";
	default:
		return "none";
	}
}

static const ProtobufCFieldDescriptor *find_body(const Chime__Event *event)
{
	if (event->body_case == CHIME__EVENT__BODY__NOT_SET)
		return NULL;
	return protobuf_c_message_descriptor_get_field(&chime__event__descriptor,
						       (unsigned)event->body_case);
}

void show_event_kind(const Chime__Event *event, char out[SHOW_KIND_SIZE])
{
	const ProtobufCFieldDescriptor *field = find_body(event);

	if (field == NULL) {
		if (event->base.n_unknown_fields > 0)
			snprintf(out, SHOW_KIND_SIZE, "unknown.%" PRIu32,
				 event->base.unknown_fields[0].tag);
		else
			snprintf(out, SHOW_KIND_SIZE, "none");
		return;
	}
	snprintf(out, SHOW_KIND_SIZE, "%s", field->name);
	/* run_not_started -> run.not_started: the noun is the first word. */
	char *dot = strchr(out, '_');
	if (dot != NULL)
		*dot = '.';
}

/* Value of a field of the body by name and type, or NULL. */
static const void *find_field(const Chime__Event *event, const char *name, ProtobufCType type)
{
	const ProtobufCFieldDescriptor *body = find_body(event);

	if (body == NULL)
		return NULL;
	const ProtobufCMessage *message =
		*(const ProtobufCMessage *const *)((const char *)event + body->offset);
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
	if (field == NULL || field->type != type || field->label != PROTOBUF_C_LABEL_OPTIONAL)
		return NULL;
	return (const char *)message + field->offset;
}

const char *show_event_job(const Chime__Event *event)
{
	const void *job = find_field(event, "job", PROTOBUF_C_TYPE_STRING);

	if (job != NULL)
		return *(const char *const *)job;
	const void *ref = find_field(event, "ref", PROTOBUF_C_TYPE_MESSAGE);
	const Chime__RunRef *run = ref != NULL ? *(Chime__RunRef *const *)ref : NULL;
	return run != NULL ? run->job : NULL;
}

uint64_t show_event_run(const Chime__Event *event, uint64_t seq)
{
	if (event->body_case == CHIME__EVENT__BODY_RUN_CREATED)
		return seq;
	const void *ref = find_field(event, "ref", PROTOBUF_C_TYPE_MESSAGE);
	const Chime__RunRef *run = ref != NULL ? *(Chime__RunRef *const *)ref : NULL;
	return run != NULL && run->has_run ? run->run : 0;
}

static void add_message(struct line *line, const ProtobufCMessage *message, unsigned depth);

static void add_quoted(struct line *line, const char *text)
{
	char clean[512];
	size_t len = show_clean(text, strlen(text), clean, sizeof(clean));
	bool plain = len > 0 && strpbrk(clean, " \"={}") == NULL;

	if (plain) {
		add_bytes(line, clean, len);
		return;
	}
	add_text(line, "\"");
	add_bytes(line, clean, len);
	add_text(line, "\"");
}

static void add_data(struct line *line, const ProtobufCBinaryData *data)
{
	enum { SHOWN = 6 };

	for (size_t i = 0; i < data->len && i < SHOWN; i++)
		add_format(line, "%02x", data->data[i]);
	if (data->len > SHOWN)
		add_format(line, "..(%zu)", data->len);
}

static void add_int64(struct line *line, const ProtobufCFieldDescriptor *field, int64_t value)
{
	char text[NAME_INSTANT_SIZE > NAME_DURATION_SIZE ? NAME_INSTANT_SIZE : NAME_DURATION_SIZE];

	switch (show_field_unit(field)) {
	case SHOW_WALL_US:
		instant_format(value, text);
		add_text(line, text);
		return;
	case SHOW_WALL_S:
		if (value > INT64_MAX / 1000000 || value < INT64_MIN / 1000000)
			break;
		instant_format(value * 1000000, text);
		add_text(line, text);
		return;
	case SHOW_SPAN_US:
		add_format(line, "%.3fs", (double)value / 1e6);
		return;
	case SHOW_PLAIN:
		break;
	}
	add_format(line, "%" PRId64, value);
}

/* A reference to an event or a run, as people write them: db1:8820, 8831. */
static bool add_reference(struct line *line, const ProtobufCMessage *message)
{
	if (message->descriptor == &chime__event_ref__descriptor) {
		const Chime__EventRef *ref = (const Chime__EventRef *)message;
		char clean[128];
		show_clean(ref->server != NULL ? ref->server : "?",
			   strlen(ref->server != NULL ? ref->server : "?"), clean, sizeof(clean));
		add_text(line, clean);
		add_format(line, ":%" PRIu64, ref->seq);
		return true;
	}
	if (message->descriptor == &chime__run_ref__descriptor) {
		const Chime__RunRef *ref = (const Chime__RunRef *)message;
		add_format(line, "%" PRIu64, ref->run);
		if (ref->attempt > 1)
			add_format(line, ".%" PRIu32, ref->attempt);
		return true;
	}
	return false;
}

static void add_value(struct line *line, const ProtobufCFieldDescriptor *field, const void *at,
		      unsigned depth)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		add_format(line, "%" PRId32, *(const int32_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		add_format(line, "%" PRIu32, *(const uint32_t *)at);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		add_int64(line, field, *(const int64_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		add_format(line, "%" PRIu64, *(const uint64_t *)at);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		add_format(line, "%g", (double)*(const float *)at);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		add_format(line, "%g", *(const double *)at);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		add_text(line, *(const protobuf_c_boolean *)at ? "yes" : "no");
		break;
	case PROTOBUF_C_TYPE_ENUM: {
		const char *name = show_enum_name(field->descriptor, *(const int *)at);
		if (name != NULL)
			add_text(line, name);
		else
			add_format(line, "%d", *(const int *)at);
		break;
	}
	case PROTOBUF_C_TYPE_STRING:
		add_quoted(line, *(const char *const *)at);
		break;
	case PROTOBUF_C_TYPE_BYTES:
		add_data(line, at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *message = *(const ProtobufCMessage *const *)at;
		if (message == NULL || add_reference(line, message))
			break;
		add_text(line, "{");
		if (depth < 8)
			add_message(line, message, depth + 1);
		add_text(line, "}");
		break;
	}
	}
}

/* Is an optional field given? Texts and messages by their pointer, others by their has_. */
static bool is_present(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;

	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(const uint32_t *)(base + field->quantifier_offset) == field->id;
	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(const void *const *)(base + field->offset) != NULL;
	if (field->label == PROTOBUF_C_LABEL_REQUIRED)
		return true;
	return *(const protobuf_c_boolean *)(base + field->quantifier_offset);
}

static size_t element_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

static void add_repeated(struct line *line, const ProtobufCMessage *message,
			 const ProtobufCFieldDescriptor *field, unsigned depth)
{
	const char *base = (const char *)message;
	size_t count = *(const size_t *)(base + field->quantifier_offset);
	const char *array = *(const char *const *)(base + field->offset);

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			add_text(line, ",");
		add_value(line, field, array + i * element_size(field->type), depth);
	}
}

static void add_field(struct line *line, const ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field, unsigned depth)
{
	bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

	if (repeated
	    ? *(const size_t *)((const char *)message + field->quantifier_offset) == 0
	    : !is_present(message, field))
		return;
	if (line->len > 0 && line->text[line->len - 1] != '{')
		add_text(line, " ");
	add_text(line, field->name);
	add_text(line, "=");
	if (repeated)
		add_repeated(line, message, field, depth);
	else
		add_value(line, field, (const char *)message + field->offset, depth);
}

static void add_message(struct line *line, const ProtobufCMessage *message, unsigned depth)
{
	const ProtobufCMessageDescriptor *descriptor = message->descriptor;

	for (unsigned i = 0; i < descriptor->n_fields; i++)
		add_field(line, message, &descriptor->fields[i], depth);
	if (message->n_unknown_fields > 0)
		add_format(line, "%s(%u unknown)", line->len > 0 ? " " : "",
			   message->n_unknown_fields);
}

static void start_line(struct line *line, char *out, size_t size)
{
	*line = (struct line){ .text = out, .size = size };
	if (size > 0)
		out[0] = '\0';
	else
		line->full = true;
}

size_t show_message_text(const ProtobufCMessage *message, char *out, size_t size)
{
	struct line line;

	start_line(&line, out, size);
	add_message(&line, message, 0);
	return line.len;
}

size_t show_event_text(const Chime__Event *event, char *out, size_t size)
{
	const ProtobufCFieldDescriptor *body = find_body(event);
	struct line line;

	start_line(&line, out, size);
	if (body != NULL) {
		const ProtobufCMessage *message =
			*(const ProtobufCMessage *const *)((const char *)event + body->offset);
		for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
			const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
			if (strcmp(field->name, "job") != 0 && strcmp(field->name, "ref") != 0)
				add_field(&line, message, field, 0);
		}
		if (message->n_unknown_fields > 0)
			add_format(&line, "%s(%u unknown)", line.len > 0 ? " " : "",
				   message->n_unknown_fields);
	}
	if (event->actor != NULL) {
		add_text(&line, line.len > 0 ? " by=" : "by=");
		add_quoted(&line, event->actor);
	}
	if (event->reason != NULL && event->reason[0] != '\0') {
		add_text(&line, " reason=");
		add_quoted(&line, event->reason);
	}
	return line.len;
}
