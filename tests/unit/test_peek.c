#include "tests/unit/loop.h"

#include "proto/control.pb-c.h"
#include "proto/peek.h"

static void assert_field(const ProtobufCMessageDescriptor *message, const char *name,
			 unsigned number)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message, name);

	assert_non_null(field);
	assert_int_equal(field->id, number);
}

static void the_numbers_are_those_of_the_proto_file(void **state)
{
	(void)state;
	assert_field(&chime__request__descriptor, "id", PEEK_REQUEST_ID);
	assert_field(&chime__reply__descriptor, "id", PEEK_REPLY_ID);
	assert_field(&chime__reply__descriptor, "hello", PEEK_REPLY_HELLO);
	assert_field(&chime__reply__descriptor, "refusal", PEEK_REPLY_REFUSAL);
	assert_field(&chime__hello__descriptor, "environment_id", PEEK_HELLO_ENVIRONMENT_ID);
	assert_field(&chime__refusal__descriptor, "what", PEEK_REFUSAL_WHAT);
	assert_field(&chime__refusal__descriptor, "why", PEEK_REFUSAL_WHY);
}

static size_t pack_request(uint64_t id, uint8_t *out)
{
	Chime__Request request = CHIME__REQUEST__INIT;
	Chime__PingRequest ping = CHIME__PING_REQUEST__INIT;

	request.has_id = true;
	request.id = id;
	request.reason = (char *)(uintptr_t)"because";
	request.has_expires = true;
	request.expires = -1;
	request.body_case = CHIME__REQUEST__BODY_PING;
	request.ping = &ping;
	return chime__request__pack(&request, out);
}

static void it_finds_fields_among_others(void **state)
{
	uint8_t packed[256];
	size_t len = pack_request(UINT64_MAX, packed), text_len;
	const uint8_t *text;
	uint64_t id;

	(void)state;
	assert_int_equal(peek_number(packed, len, PEEK_REQUEST_ID, &id), PEEK_FOUND);
	assert_true(id == UINT64_MAX);
	assert_int_equal(peek_bytes(packed, len, 5, &text, &text_len), PEEK_FOUND);
	assert_int_equal(text_len, 7);
	assert_memory_equal(text, "because", 7);
	assert_int_equal(peek_number(packed, len, 99, &id), PEEK_ABSENT);
	assert_int_equal(peek_number(packed, 0, 1, &id), PEEK_ABSENT);
	assert_true(id == 0);
}

static void an_appended_id_replaces_the_id(void **state)
{
	static const uint64_t ids[] = { 1, 127, 128, 1u << 31, UINT64_MAX };
	uint8_t packed[256];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		size_t len = pack_request(7, packed);
		Chime__Request *request;
		uint64_t id;

		len += peek_format_id(ids[i], packed + len);
		assert_int_equal(peek_number(packed, len, PEEK_REQUEST_ID, &id), PEEK_FOUND);
		assert_true(id == ids[i]);
		request = chime__request__unpack(NULL, len, packed);
		assert_non_null(request);
		assert_true(request->id == ids[i]);
		assert_string_equal(request->reason, "because");
		assert_int_equal(request->body_case, CHIME__REQUEST__BODY_PING);
		chime__request__free_unpacked(request, NULL);
	}
}

static void what_is_no_message_is_malformed(void **state)
{
	static const struct { uint8_t bytes[12]; size_t len; } bad[] = {
		{ { 0x00 }, 1 },				/* field 0 */
		{ { 0x08 }, 1 },				/* a number without a value */
		{ { 0x08, 0x80 }, 2 },
		{ { 0x0b }, 1 },				/* group */
		{ { 0x0f }, 1 },				/* wire type 7 */
		{ { 0x0a, 0x05, 'a' }, 3 },			/* longer than the message */
		{ { 0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01 }, 11 },
		{ { 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 }, 12 },
		{ { 0x0d, 1, 2, 3 }, 4 },
		{ { 0x09, 1, 2, 3, 4, 5, 6, 7 }, 8 },
	};
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(peek_number(bad[i].bytes, bad[i].len, 1, &id), PEEK_MALFORMED);
}

static void cut_messages_never_read_too_far(void **state)
{
	uint8_t packed[256];
	size_t len = pack_request(1, packed);

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		uint64_t id;

		memcpy(copy, packed, cut);
		peek_number(copy, cut, PEEK_REQUEST_ID, &id);
		free(copy);
	}
}

static void every_verdict_has_a_name(void **state)
{
	(void)state;
	for (unsigned v = 0; v < PEEK_VERDICT_COUNT; v++)
		assert_true(strlen(peek_verdict_name(v)) > 0);
	assert_string_equal(peek_verdict_name(PEEK_VERDICT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_numbers_are_those_of_the_proto_file),
		cmocka_unit_test(it_finds_fields_among_others),
		cmocka_unit_test(an_appended_id_replaces_the_id),
		cmocka_unit_test(what_is_no_message_is_malformed),
		cmocka_unit_test(cut_messages_never_read_too_far),
		cmocka_unit_test(every_verdict_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
