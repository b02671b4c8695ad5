#include "client/record/line.h"

#include "proto/show.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

void line_format_time(int64_t wall_us, char out[LINE_TIME_SIZE])
{
	int64_t rest = (wall_us % 1000000 + 1000000) % 1000000;
	time_t seconds = (time_t)((wall_us - rest) / 1000000);
	struct tm tm;
	char whole[40] = "?";

	if (gmtime_r(&seconds, &tm))
		strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, LINE_TIME_SIZE, "%s.%06dZ", whole, (int)rest);
}

void line_print_event(FILE *out, uint64_t seq, const Chime__Event *event)
{
	char kind[SHOW_KIND_SIZE], job[256], text[SHOW_LINE_SIZE];

	show_event_kind(event, kind);
	show_event_text(event, text, sizeof(text));
	fprintf(out, " %s", kind);
	if (show_event_job(event)) {
		show_clean(show_event_job(event), strlen(show_event_job(event)), job, sizeof(job));
		fprintf(out, "%s%s", job[0] ? " " : "", job);
	}
	if (show_event_run(event, seq))
		fprintf(out, " run %" PRIu64, show_event_run(event, seq));
	fprintf(out, "%s%s", text[0] ? " " : "", text);
}

json_t *line_json_time(int64_t wall_us)
{
	char text[LINE_TIME_SIZE];

	line_format_time(wall_us, text);
	return json_string(text);
}

void line_set_number(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

void line_print_json(FILE *out, json_t *object)
{
	json_dumpf(object, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
	fputc('\n', out);
	json_decref(object);
}
