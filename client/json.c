/*
 * json.c - see json.h.
 */
#include "client/json.h"

#include "client/say.h"
#include "proto/digest.h"
#include "proto/names.h"
#include "proto/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	if (text == NULL)
		return json_null();
	json_t *value = json_string(text);
	if (value != NULL)
		return value;
	size_t size = 4 * strlen(text) + 1;
	char *clean = say_calloc(1, size);
	show_clean(text, strlen(text), clean, size);
	value = json_string(clean);
	free(clean);
	return value;
}

json_t *json_instant(bool known, int64_t wall_us)
{
	char text[NAME_INSTANT_SIZE];

	if (!known)
		return json_null();
	instant_format(wall_us, text);
	return json_string(text);
}

json_t *json_seconds(bool known, int64_t us)
{
	if (!known)
		return json_null();
	if (us % 1000000 == 0)
		return json_integer(us / 1000000);
	return json_real(round((double)us / 1000) / 1000);
}

json_t *json_number(bool known, int64_t value)
{
	return known ? json_integer(value) : json_null();
}

json_t *json_texts(char *const *texts, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_text(texts[i]));
	return list;
}

json_t *json_hex(const uint8_t *data, size_t len)
{
	char *hex = say_calloc(2 * len + 1, 1);

	digest_hex_encode(data, len, hex);
	json_t *value = json_string(hex);
	free(hex);
	return value;
}

json_t *json_document(const char *schema, int64_t now_us, const char *environment,
		      const char *via)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_string(schema));
	json_object_set_new(o, "time", json_instant(true, now_us));
	json_object_set_new(o, "env", json_text(environment));
	json_object_set_new(o, "via", json_text(via));
	return o;
}

/* JobRow has no `late` and no `usual_s` of its own until deadlines exist: then they are fields. */
json_t *json_job(const Chime__JobRow *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_text(row->job));
	json_object_set_new(o, "server", json_text(row->server));
	json_object_set_new(o, "state", json_text(row->state));
	json_object_set_new(o, "code", json_text(row->code));
	json_object_set_new(o, "late", json_false());
	json_object_set_new(o, "since", json_instant(row->has_since, row->since));
	json_object_set_new(o, "took_s", json_seconds(row->has_took_us, row->took_us));
	json_object_set_new(o, "next", json_instant(row->has_next, row->next * 1000000));
	json_object_set_new(o, "run", json_number(row->has_run, (int64_t)row->run));
	json_object_set_new(o, "exit", json_number(row->has_exit_code, row->exit_code));
	json_object_set_new(o, "usual_s", json_null());
	json_object_set_new(o, "blocked_by", json_texts(row->blocked_by, row->n_blocked_by));
	json_object_set_new(o, "root", json_texts(row->root, row->n_root));
	json_object_set_new(o, "held", json_boolean(row->held));
	json_object_set_new(o, "held_by", json_text(row->held_by));
	json_object_set_new(o, "enabled", json_boolean(!row->has_enabled || row->enabled));
	json_object_set_new(o, "note", json_text(row->note));
	json_object_set_new(o, "stale", json_boolean(row->stale));
	return o;
}

static json_t *attempt_object(const Chime__AttemptRow *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "attempt", json_integer(row->attempt));
	json_object_set_new(o, "state", json_text(row->state));
	json_object_set_new(o, "exit", json_number(row->has_exit_code, row->exit_code));
	json_object_set_new(o, "signal", json_number(row->has_signal, row->signal));
	json_object_set_new(o, "started", json_instant(row->has_started, row->started));
	json_object_set_new(o, "ended", json_instant(row->has_ended, row->ended));
	json_object_set_new(o, "user_s", json_seconds(row->has_user_us, row->user_us));
	json_object_set_new(o, "system_s", json_seconds(row->has_system_us, row->system_us));
	json_object_set_new(o, "max_rss_kib",
			    json_number(row->has_max_rss_kib, row->max_rss_kib));
	json_object_set_new(o, "output_bytes",
			    json_number(row->has_output_bytes, (int64_t)row->output_bytes));
	json_object_set_new(o, "truncated", json_boolean(row->truncated));
	json_object_set_new(o, "detail", json_text(row->detail));
	return o;
}

/* "" stands for none on the wire of some fields. */
static json_t *text_or_null(const char *text)
{
	return json_text(text != NULL && text[0] != '\0' ? text : NULL);
}

json_t *json_run(const Chime__RunRow *row, bool attempts)
{
	json_t *o = json_object();

	json_object_set_new(o, "job", json_text(row->job));
	json_object_set_new(o, "server", json_text(row->server));
	json_object_set_new(o, "run", json_number(row->has_run, (int64_t)row->run));
	json_object_set_new(o, "state", json_text(row->state));
	json_object_set_new(o, "exit", json_number(row->has_exit_code, row->exit_code));
	json_object_set_new(o, "signal",
			    json_number(row->has_signal && row->signal != 0, row->signal));
	json_object_set_new(o, "cycle", text_or_null(row->cycle));
	json_object_set_new(o, "slot", text_or_null(row->slot));
	json_object_set_new(o, "cause", json_text(row->cause));
	json_object_set_new(o, "forced", json_boolean(row->forced));
	json_object_set_new(o, "by", text_or_null(row->by));
	json_object_set_new(o, "reason", text_or_null(row->reason));
	json_object_set_new(o, "attempts", json_integer(row->attempts));
	json_object_set_new(o, "created", json_instant(row->has_created, row->created));
	json_object_set_new(o, "started", json_instant(row->has_started, row->started));
	json_object_set_new(o, "ended", json_instant(row->has_ended, row->ended));
	json_object_set_new(o, "late_s", json_seconds(true, row->late_us));
	json_object_set_new(o, "proofs", json_texts(row->proof, row->n_proof));
	json_object_set_new(o, "unmet", json_texts(row->unmet, row->n_unmet));
	json_object_set_new(o, "ignored", json_texts(row->ignored, row->n_ignored));
	json_object_set_new(o, "waiting", text_or_null(row->waiting));
	json_object_set_new(o, "detail", text_or_null(row->detail));
	if (attempts) {
		json_t *list = json_array();
		for (size_t i = 0; i < row->n_attempt; i++)
			json_array_append_new(list, attempt_object(row->attempt[i]));
		json_object_set_new(o, "attempt", list);
	}
	return o;
}

json_t *json_server(const Chime__ServerRow *row)
{
	json_t *o = json_object();

	json_object_set_new(o, "server", json_text(row->server));
	json_object_set_new(o, "state", json_text(row->state));
	json_object_set_new(o, "self", json_boolean(row->self));
	json_object_set_new(o, "heard", json_instant(row->has_heard, row->heard));
	json_object_set_new(o, "address", json_texts(row->address, row->n_address));
	json_object_set_new(o, "seq", json_number(row->has_seq, (int64_t)row->seq));
	json_object_set_new(o, "known_seq",
			    json_number(row->has_known_seq, (int64_t)row->known_seq));
	json_object_set_new(o, "boot", json_number(row->lineage != NULL,
			    row->lineage != NULL ? (int64_t)row->lineage->boot : 0));
	json_object_set_new(o, "jobs", json_number(row->has_jobs, row->jobs));
	json_object_set_new(o, "running", json_number(row->has_running, row->running));
	json_object_set_new(o, "unproven", json_boolean(row->unproven));
	json_object_set_new(o, "version", text_or_null(row->version));
	json_object_set_new(o, "skew_s", json_seconds(row->has_skew_us, row->skew_us));
	json_object_set_new(o, "note", text_or_null(row->note));
	return o;
}

json_t *json_silent(Chime__ServerRow *const *rows, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "server", json_text(rows[i]->server));
		json_object_set_new(o, "heard", json_instant(rows[i]->has_heard,
							     rows[i]->heard));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *json_lines(Chime__Line *const *lines, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const Chime__Line *line = lines[i];
		const char *verdict = line->verdict != NULL ? line->verdict : "??";
		json_t *o = json_object();
		json_object_set_new(o, "what", json_text(line->what));
		json_object_set_new(o, "met", strcmp(verdict, "ok") == 0 ? json_true()
				    : strcmp(verdict, "NO") == 0 ? json_false() : json_null());
		json_object_set_new(o, "text", json_text(line->text));
		json_object_set_new(o, "detail", text_or_null(line->detail));
		json_object_set_new(o, "proof", text_or_null(line->proof));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *json_definition(const Chime__JobDefined *definition)
{
	return definition != NULL ? json_message(&definition->base) : json_null();
}

static json_t *value_of(const ProtobufCFieldDescriptor *field, const void *at);

static json_t *enum_value(const ProtobufCFieldDescriptor *field, int value)
{
	const char *name = show_enum_name(field->descriptor, value);
	return name != NULL ? json_string(name) : json_integer(value);
}

static json_t *int64_value(const ProtobufCFieldDescriptor *field, int64_t value)
{
	switch (show_field_unit(field)) {
	case SHOW_WALL_US:
		return json_instant(true, value);
	case SHOW_WALL_S:
		return json_instant(value < INT64_MAX / 1000000 && value > INT64_MIN / 1000000,
				    value * 1000000);
	case SHOW_SPAN_US:
		return json_seconds(true, value);
	default:
		return json_integer(value);
	}
}

/* A tag is 64 random bits: more than a number in JSON is sure to hold, so it is text. */
static json_t *uint64_value(const ProtobufCFieldDescriptor *field, uint64_t value)
{
	char text[24];

	if (strcmp(field->name, "tag") != 0)
		return json_integer((json_int_t)value);
	snprintf(text, sizeof(text), "%016" PRIx64, value);
	return json_string(text);
}

static json_t *value_of(const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return int64_value(field, *(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return uint64_value(field, *(const uint64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real((double)*(const float *)at);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return enum_value(field, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING:
		return json_text(*(const char *const *)at);
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *data = at;
		return json_hex(data->data, data->len);
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *message = *(const ProtobufCMessage *const *)at;
		return message != NULL ? json_message(message) : json_null();
	}
	}
	return json_null();
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
	default:
		return 4;
	}
}

static json_t *field_value(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		size_t count = *(const size_t *)(base + field->quantifier_offset);
		const char *array = *(const char *const *)(base + field->offset);
		json_t *list = json_array();
		for (size_t i = 0; i < count; i++)
			json_array_append_new(list, value_of(field, array + i *
							     element_size(field->type)));
		return list;
	}
	bool by_pointer = field->type == PROTOBUF_C_TYPE_STRING ||
			  field->type == PROTOBUF_C_TYPE_MESSAGE;
	if (!by_pointer && field->label == PROTOBUF_C_LABEL_OPTIONAL &&
	    !*(const protobuf_c_boolean *)(base + field->quantifier_offset))
		return json_null();
	return value_of(field, base + field->offset);
}

json_t *json_message(const ProtobufCMessage *message)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		char name[64];
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			continue;	/* the caller says which one it is */
		size_t len = strlen(field->name);
		if (show_field_unit(field) == SHOW_SPAN_US && len > 3)
			snprintf(name, sizeof(name), "%.*s_s", (int)len - 3, field->name);
		else
			snprintf(name, sizeof(name), "%s", field->name);
		json_object_set_new(o, name, field_value(message, field));
	}
	return o;
}

int json_print(json_t *value)
{
	int failed = value == NULL ||
		json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0;

	json_decref(value);
	putchar('\n');
	return failed || fflush(stdout) != 0 ? EXIT_TROUBLE : 0;
}
