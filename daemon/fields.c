#include "daemon/fields.h"

#include "daemon/crc32.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_bytes(struct fields_text *text, const void *data, size_t len)
{
	if (text->full || len > text->size - text->len) {
		text->full = true;
		return;
	}
	memcpy(text->data + text->len, data, len);
	text->len += len;
}

void fields_put(struct fields_text *text, const char *key, const char *value, size_t len)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%s:%zu:", key, len);

	put_bytes(text, head, (size_t)n);
	put_bytes(text, value, len);
	put_bytes(text, "\n", 1);
}

static void put_hex(struct fields_text *text, const char *key, const uint8_t *bytes, size_t size)
{
	char hex[129];

	assert(size * 2 < sizeof(hex));
	for (size_t i = 0; i < size; i++)
		snprintf(hex + i * 2, 3, "%02x", bytes[i]);
	fields_put(text, key, hex, size * 2);
}

void fields_put_all(struct fields_text *text, const struct field *field, const void *base)
{
	for (; field->key; field++) {
		const char *at = (const char *)base + field->offset;
		char number[32];
		int n = 0;

		switch (field->kind) {
		case FIELD_TEXT:
			fields_put(text, field->key, at, strnlen(at, field->size));
			continue;
		case FIELD_POINTER:
			at = *(const char *const *)at;
			if (at)
				fields_put(text, field->key, at, strlen(at));
			continue;
		case FIELD_HEX:
			put_hex(text, field->key, (const uint8_t *)at, field->size);
			continue;
		case FIELD_I32:
			n = snprintf(number, sizeof(number), "%" PRId32, *(const int32_t *)at);
			break;
		case FIELD_U32:
			n = snprintf(number, sizeof(number), "%" PRIu32, *(const uint32_t *)at);
			break;
		case FIELD_I64:
			n = snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)at);
			break;
		case FIELD_U64:
			n = snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)at);
			break;
		}
		fields_put(text, field->key, number, (size_t)n);
	}
}

void fields_seal(struct fields_text *text)
{
	char hex[9];

	snprintf(hex, sizeof(hex), "%08" PRIx32, crc32_update(0, text->data, text->len));
	fields_put(text, "crc", hex, 8);
}

/* Cuts the next field off *at; key and value get their NUL in place. False at a malformed one. */
static bool cut_field(char **at, char *end, char **key, char **value, size_t *len)
{
	char *colon = memchr(*at, ':', (size_t)(end - *at)), *digit;
	size_t n = 0;

	if (!colon || colon == *at)
		return false;
	for (digit = colon + 1; digit < end && *digit >= '0' && *digit <= '9'; digit++) {
		n = n * 10 + (size_t)(*digit - '0');
		if (n > FIELDS_VALUE_MAX)
			return false;
	}
	if (digit == colon + 1 || digit >= end || *digit != ':')
		return false;
	if (n >= (size_t)(end - digit - 1) || digit[1 + n] != '\n')
		return false;
	if (memchr(digit + 1, 0, n) || memchr(*at, 0, (size_t)(colon - *at)))
		return false;
	*colon = digit[1 + n] = 0;
	*key = *at;
	*value = digit + 1;
	*len = n;
	*at = digit + 2 + n;
	return true;
}

/* The whole text is walked field by field, because a value may contain what looks like the seal. */
size_t fields_check(const char *text, size_t len, const char *magic)
{
	char *copy = malloc(len + 1), *at = copy, *key, *value, wanted[9];
	size_t n, start, good = 0;

	assert(copy);
	memcpy(copy, text, len);
	for (bool first = true; start = (size_t)(at - copy), start < len; first = false) {
		if (!cut_field(&at, copy + len, &key, &value, &n))
			break;
		if (first && strcmp(key, magic) != 0)
			break;
		if (strcmp(key, "crc") != 0)
			continue;
		snprintf(wanted, sizeof(wanted), "%08" PRIx32, crc32_update(0, text, start));
		if (!first && strcmp(value, wanted) == 0)
			good = start;
		break;
	}
	free(copy);
	return good;
}

static bool parse_i64(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	return !errno && end != text && !*end && *out >= min && *out <= max;
}

static bool parse_u64(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *text != '-' && *out <= max;
}

static bool parse_hex(const char *text, size_t len, uint8_t *out, size_t size)
{
	if (len != size * 2)
		return false;
	for (size_t i = 0; i < size; i++) {
		unsigned byte;
		char pair[3] = { text[i * 2], text[i * 2 + 1], 0 };

		if (strspn(pair, "0123456789abcdef") != 2)
			return false;
		if (sscanf(pair, "%2x", &byte) != 1)
			return false;
		out[i] = (uint8_t)byte;
	}
	return true;
}

static bool take_field(const struct field *field, void *base, char *value, size_t len)
{
	char *at = (char *)base + field->offset;
	int64_t i;
	uint64_t u;

	switch (field->kind) {
	case FIELD_TEXT:
		if (len >= field->size)
			return false;
		memcpy(at, value, len + 1);
		return true;
	case FIELD_POINTER:
		*(const char **)at = value;
		return true;
	case FIELD_HEX:
		return parse_hex(value, len, (uint8_t *)at, field->size);
	case FIELD_I32:
		if (!parse_i64(value, INT32_MIN, INT32_MAX, &i))
			return false;
		*(int32_t *)at = (int32_t)i;
		return true;
	case FIELD_I64:
		return parse_i64(value, INT64_MIN, INT64_MAX, (int64_t *)at);
	case FIELD_U32:
		if (!parse_u64(value, UINT32_MAX, &u))
			return false;
		*(uint32_t *)at = (uint32_t)u;
		return true;
	case FIELD_U64:
		return parse_u64(value, UINT64_MAX, (uint64_t *)at);
	}
	return false;
}

int fields_take(char *text, size_t len, const struct field *fields, void *base,
		       void (*each)(void *base, const char *key, char *value))
{
	char *at = text, *key, *value;
	size_t n;

	while (at < text + len) {
		const struct field *field = fields;

		if (!cut_field(&at, text + len, &key, &value, &n))
			return -EBADMSG;
		while (field->key && strcmp(field->key, key) != 0)
			field++;
		if (!field->key) {
			if (each)
				each(base, key, value);
		} else if (!take_field(field, base, value, n)) {
			return -EBADMSG;
		}
	}
	return 0;
}
