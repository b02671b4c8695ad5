-- chime.lua - a Wireshark dissector for the bus of chime: sealed datagrams, discovery, and what
-- `chime-record --decrypt -w FILE` opened. Wireshark 3.6 or later.
--
-- Install: copy into the folder that `tshark -G folders` calls "Personal Lua Plugins".
--
--	chime.server == "alpha" && chime.type == "run.ended"
--	chime.job == "eod/load" && chime.state == "FAILED"
--	chime.packet == "sealed" && chime.key_id != 0x8f3a
--
-- Formats are those of proto/envelope.h, discover.h, frame.h, head.h and event.proto, and of
-- client/record/clear.h. All numbers big-endian but inside protobuf.
--
-- Bytes are anybody's: everything is read through the functions of "reading" below, which give nil
-- beyond the end, and what is wrong is an expert item, never an error.

local chime = Proto("chime", "chime bus")

-- ---- kinds of events: the field numbers of `body` in message Event ----
--
-- job: the field that names the job. ref: the field that is a RunRef, which names job and run.

local kinds = {
	[16] = { name = "server.up" },
	[17] = { name = "server.down" },
	[18] = { name = "server.proven" },
	[19] = { name = "job.defined", job = 1 },
	[20] = { name = "job.removed", job = 1 },
	[21] = { name = "run.created", job = 1, cycle = 2, cause = 5, state = 17 },
	[22] = { name = "run.proofs", ref = 1 },
	[23] = { name = "run.starting", ref = 1 },
	[24] = { name = "run.started", ref = 1 },
	[25] = { name = "run.not_started", ref = 1, detail = 3 },
	[26] = { name = "run.ended", ref = 1, state = 2, exit = 3, signal = 4, detail = 6 },
	[27] = { name = "run.killing", ref = 1 },
	[28] = { name = "job.held", job = 1 },
	[29] = { name = "job.released", job = 1 },
	[30] = { name = "slot.missed", job = 1, detail = 7 },
	[31] = { name = "command.refused", detail = 3 },
	[32] = { name = "alarm", job = 2, detail = 3 },
}

local states = {
	[0] = "NONE", "WAITING", "STARTING", "RUNNING", "SUCCESS", "FAILED", "KILLED", "TIMEOUT",
	"LOST", "SKIPPED", "MISSED", "EXPIRED", "CANCELLED",
}

local causes = { [0] = "NONE", "SCHEDULE", "CONDITION", "FORCE", "RERUN" }

-- ---- fields ----

local f = {
	packet = ProtoField.string("chime.packet", "Packet"),
	magic = ProtoField.string("chime.magic", "Magic"),
	version = ProtoField.uint8("chime.version", "Version"),
	flags = ProtoField.uint8("chime.flags", "Flags", base.HEX),
	key_id = ProtoField.uint16("chime.key_id", "Key id", base.HEX),
	nonce = ProtoField.bytes("chime.nonce", "Nonce"),
	ciphertext = ProtoField.bytes("chime.ciphertext", "Ciphertext"),
	auth_tag = ProtoField.bytes("chime.auth_tag", "Authentication tag"),

	environment = ProtoField.bytes("chime.environment", "Environment id"),
	discover_nonce = ProtoField.bytes("chime.discover.nonce", "Nonce of the question"),
	discover_protocol = ProtoField.uint16("chime.discover.protocol", "Control protocol"),
	member = ProtoField.string("chime.discover.member", "Member"),
	address = ProtoField.string("chime.discover.address", "Control address"),

	sender = ProtoField.string("chime.sender", "Sender"),
	control_port = ProtoField.uint32("chime.control_port", "Control port"),
	frame = ProtoField.bytes("chime.frame", "Frame"),
	head = ProtoField.bytes("chime.head", "Head"),

	server = ProtoField.string("chime.server", "Server"),
	boot = ProtoField.uint64("chime.boot", "Boot"),
	tag = ProtoField.uint64("chime.tag", "Tag", base.HEX),

	frame_version = ProtoField.uint8("chime.frame.version", "Version"),
	frame_flags = ProtoField.uint8("chime.frame.flags", "Flags", base.HEX),
	frame_opens = ProtoField.bool("chime.frame.opens", "Opens its lineage", 8, nil, 1),
	frame_stub = ProtoField.bool("chime.frame.stub", "Stub: the body is pulled", 8, nil, 2),
	frame_first = ProtoField.uint64("chime.frame.first", "First seq"),
	frame_count = ProtoField.uint16("chime.frame.count", "Events"),
	frame_prev = ProtoField.bytes("chime.frame.prev_hash", "Hash of the frame before"),
	frame_body_len = ProtoField.uint32("chime.frame.body_len", "Bytes of body"),
	frame_body_hash = ProtoField.bytes("chime.frame.body_hash", "Hash of the body"),

	event = ProtoField.bytes("chime.event", "Event"),
	seq = ProtoField.uint64("chime.seq", "Seq"),
	type = ProtoField.string("chime.type", "Type"),
	time = ProtoField.absolute_time("chime.time", "Time"),
	actor = ProtoField.string("chime.by", "By"),
	reason = ProtoField.string("chime.reason", "Reason"),
	key = ProtoField.bytes("chime.key", "Key of the command"),
	job = ProtoField.string("chime.job", "Job"),
	run = ProtoField.uint64("chime.run", "Run"),
	attempt = ProtoField.uint32("chime.attempt", "Attempt"),
	state = ProtoField.string("chime.state", "State"),
	cycle = ProtoField.string("chime.cycle", "Cycle"),
	cause = ProtoField.string("chime.cause", "Cause"),
	exit = ProtoField.int32("chime.exit", "Exit code"),
	signal = ProtoField.int32("chime.signal", "Signal"),
	detail = ProtoField.string("chime.detail", "Detail"),
	body = ProtoField.bytes("chime.body", "Body"),

	head_version = ProtoField.uint8("chime.head.version", "Version"),
	head_flags = ProtoField.uint32("chime.head.flags", "Flags", base.HEX),
	head_goodbye = ProtoField.bool("chime.head.goodbye", "Goodbye", 32, nil, 1),
	head_disk = ProtoField.bool("chime.head.disk", "Low on disk", 32, nil, 2),
	head_unproven = ProtoField.bool("chime.head.unproven", "Unproven", 32, nil, 4),
	head_seq = ProtoField.uint64("chime.head.seq", "Seq"),
	head_hash = ProtoField.bytes("chime.head.frame_hash", "Hash of its frame"),
	head_low = ProtoField.uint64("chime.head.low", "Oldest seq served"),
	head_counter = ProtoField.uint64("chime.head.counter", "Counter"),
	head_time = ProtoField.absolute_time("chime.head.time", "Wall clock"),
	head_running = ProtoField.uint32("chime.head.running", "Runs live"),
	head_waiting = ProtoField.uint32("chime.head.waiting", "Runs waiting"),
	head_load = ProtoField.uint32("chime.head.load", "Load, thousandths"),
	head_signature = ProtoField.bytes("chime.head.signature", "Signature"),
}

local fields = {}
for _, field in pairs(f) do
	fields[#fields + 1] = field
end
chime.fields = fields

local malformed = ProtoExpert.new("chime.malformed", "Malformed", expert.group.MALFORMED,
	expert.severity.ERROR)
chime.experts = { malformed }

chime.prefs.port = Pref.uint("UDP port", 7410, "The port of the bus; others are told by magic")

-- ---- reading ----
--
-- A reader is a piece [at, stop) of the packet: { raw = all bytes as a string, at =, stop = },
-- offsets from 0. take() moves on and gives where it was, or nil when there are fewer bytes.

local function reader(raw, at, stop)
	return { raw = raw, at = at, stop = stop }
end

local function take(r, len)
	local at = r.at
	if len > r.stop - at then
		return nil
	end
	r.at = at + len
	return at
end

local function byte(raw, at)
	return string.byte(raw, at + 1)
end

-- A number of at most 6 bytes, which a double holds.
local function number(raw, at, len)
	local value = 0
	for i = 0, len - 1 do
		value = value * 256 + byte(raw, at + i)
	end
	return value
end

-- A varint as low and high 32 bits, or nil.
local function varint(r)
	local low, high, shift = 0, 0, 0
	while shift < 70 do
		local at = take(r, 1)
		if not at then
			return nil
		end
		local b = byte(r.raw, at)
		local bits = b % 128
		if shift < 28 then
			low = low + bits * 2 ^ shift
		elseif shift == 28 then
			low = low + (bits % 16) * 2 ^ 28
			high = high + math.floor(bits / 16)
		elseif shift < 63 then
			high = high + bits * 2 ^ (shift - 32)
		elseif bits % 2 == 1 then
			high = high + 2 ^ 31
		end
		if b < 128 then
			return low, high % 2 ^ 32
		end
		shift = shift + 7
	end
	return nil
end

local function int32(low)
	return low >= 2 ^ 31 and low - 2 ^ 32 or low
end

-- The next field of a protobuf message: its number, type, and { at, len, low, high }. nil at the
-- end; nil and true when it is no message.
local function next_field(r)
	if r.at >= r.stop then
		return nil
	end
	local low, high = varint(r)
	if not low or high ~= 0 or low < 8 then
		return nil, true
	end
	local kind, value = low % 8, { at = r.at }
	if kind == 0 then
		value.low, value.high = varint(r)
		if not value.low then
			return nil, true
		end
	elseif kind == 1 or kind == 5 then
		if not take(r, kind == 1 and 8 or 4) then
			return nil, true
		end
	elseif kind == 2 then
		local len, more = varint(r)
		if not len or more ~= 0 then
			return nil, true
		end
		value.at = take(r, len)
		if not value.at then
			return nil, true
		end
	else
		return nil, true
	end
	value.len = r.at - value.at
	return math.floor(low / 8), kind, value
end

-- ---- showing ----

local function complain(tree, text)
	tree:add_proto_expert_info(malformed, text)
end

local function add(tree, field, tvb, at, len)
	-- A range of no bytes is an error to Wireshark.
	if len > 0 then
		return tree:add(field, tvb(at, len))
	end
end

local function add_varint(tree, field, tvb, value)
	if value.len > 0 then
		tree:add(field, tvb(value.at, value.len), UInt64(value.low, value.high))
	end
end

-- Microseconds since 1970 up to the year 10000; others are not instants.
local function add_time(tree, field, tvb, at, len, low, high)
	local us = high * 2 ^ 32 + low
	if len > 0 and us < 253402300800 * 1000000 then
		local seconds = math.floor(us / 1000000)
		tree:add(field, tvb(at, len), NSTime(seconds, (us - seconds * 1000000) * 1000))
	end
end

local function add_word(tree, field, tvb, value, words)
	local word = value.high == 0 and words[value.low] or nil
	if value.len > 0 then
		tree:add(field, tvb(value.at, value.len), word or string.format("%.0f", value.low))
	end
end

local function text_at(raw, at, len)
	return string.sub(raw, at + 1, at + len)
end

-- For lines made of foreign text: nothing but what is printed as itself.
local function clean(text)
	return (string.gsub(text, "[^%w%._/@-]", "?"))
end

-- A RunRef: the run, its attempt and its job.
local function show_ref(tree, tvb, raw, value)
	local r = reader(raw, value.at, value.at + value.len)
	while true do
		local id, kind, v = next_field(r)
		if not id then
			if kind then
				complain(tree, "a run that can't be read")
			end
			return
		end
		if id == 1 and kind == 0 then
			add_varint(tree, f.run, tvb, v)
		elseif id == 4 and kind == 0 then
			tree:add(f.attempt, tvb(v.at, v.len), v.low)
		elseif id == 5 and kind == 2 then
			add(tree, f.job, tvb, v.at, v.len)
		end
	end
end

local function show_body_field(tree, tvb, raw, kind, id, wire, v)
	if wire == 2 then
		if id == kind.job then
			add(tree, f.job, tvb, v.at, v.len)
		elseif id == kind.ref then
			show_ref(tree, tvb, raw, v)
		elseif id == kind.cycle then
			add(tree, f.cycle, tvb, v.at, v.len)
		elseif id == kind.detail then
			add(tree, f.detail, tvb, v.at, v.len)
		end
	elseif wire == 0 and v.len > 0 then
		if id == kind.state then
			add_word(tree, f.state, tvb, v, states)
		elseif id == kind.cause then
			add_word(tree, f.cause, tvb, v, causes)
		elseif id == kind.exit then
			tree:add(f.exit, tvb(v.at, v.len), int32(v.low))
		elseif id == kind.signal then
			tree:add(f.signal, tvb(v.at, v.len), int32(v.low))
		end
	end
end

local function show_body(tree, tvb, raw, kind, value)
	local r = reader(raw, value.at, value.at + value.len)
	add(tree, f.body, tvb, value.at, value.len)
	while true do
		local id, wire, v = next_field(r)
		if not id then
			if wire then
				complain(tree, "a body that can't be read")
			end
			return
		end
		show_body_field(tree, tvb, raw, kind, id, wire, v)
	end
end

-- Of several bodies the last counts, as in protobuf.
local function find_body(raw, at, len)
	local r, body, number_of, unknown = reader(raw, at, at + len), nil, nil, nil
	while true do
		local id, wire, v = next_field(r)
		if not id then
			return body, number_of, unknown, wire
		end
		if wire == 2 and kinds[id] then
			body, number_of = v, id
		elseif id > 4 and not unknown then
			unknown = id
		end
	end
end

local function show_event(tree, tvb, raw, at, len, seq)
	local body, id, unknown, bad = find_body(raw, at, len)
	local name = id and kinds[id].name or unknown and "unknown." .. unknown or "none"
	local item = tree:add(f.event, tvb(at, len))
	local r = reader(raw, at, at + len)

	item:set_text("Event " .. tostring(seq) .. " " .. (bad and "unreadable" or name))
	item:add(f.seq, tvb(at, len), seq):set_generated()
	if bad then
		complain(item, "an event that can't be read")
		return "unreadable"
	end
	item:add(f.type, tvb(at, len), name):set_generated()
	while true do
		local number_of, wire, v = next_field(r)
		if not number_of then
			break
		end
		if number_of == 1 and wire == 0 then
			add_time(item, f.time, tvb, v.at, v.len, v.low, v.high)
		elseif number_of == 2 and wire == 2 then
			add(item, f.actor, tvb, v.at, v.len)
		elseif number_of == 3 and wire == 2 then
			add(item, f.reason, tvb, v.at, v.len)
		elseif number_of == 4 and wire == 2 then
			add(item, f.key, tvb, v.at, v.len)
		end
	end
	if body then
		if id == 21 then
			-- A run's number is the seq of the event that made it.
			item:add(f.run, tvb(at, len), seq):set_generated()
		end
		show_body(item, tvb, raw, kinds[id], body)
	end
	return name
end

local function show_events(tree, tvb, raw, at, len, first, count)
	local r, names, seq = reader(raw, at, at + len), {}, first
	while true do
		local id, wire, v = next_field(r)
		if not id then
			if wire then
				complain(tree, "events that can't be read")
			elseif #names ~= count then
				complain(tree, "another number of events than the frame says")
			end
			return names
		end
		if id == 1 and wire == 2 then
			if v.len > 0 then
				names[#names + 1] = show_event(tree, tvb, raw, v.at, v.len, seq)
			else
				names[#names + 1] = "none"
			end
			seq = seq + UInt64(1)
		end
	end
end

-- A name of one byte of length and its bytes; shown, and given as text.
local function show_name(tree, field, tvb, r)
	local at = take(r, 1)
	local len = at and byte(r.raw, at)
	local start = len and take(r, len)
	if not start or len == 0 then
		return nil
	end
	tree:add(field, tvb(start, len))
	return text_at(r.raw, start, len)
end

local function show_frame(tree, tvb, raw, at, len)
	local item = tree:add(f.frame, tvb(at, len))
	local r = reader(raw, at, at + len)
	local start = take(r, 2)
	item:set_text("Frame")
	if not start then
		complain(item, "a frame that is cut")
		return nil
	end
	local flags = byte(raw, start + 1)
	item:add(f.frame_version, tvb(start, 1))
	item:add(f.frame_flags, tvb(start + 1, 1))
	item:add(f.frame_opens, tvb(start + 1, 1))
	item:add(f.frame_stub, tvb(start + 1, 1))
	if byte(raw, start) ~= 1 then
		complain(item, "a frame of a version that is not known")
		return nil
	end
	local server = show_name(item, f.server, tvb, r)
	local numbers = server and take(r, 8 + 8 + 8 + 2 + 32 + 4)
	if not numbers then
		complain(item, "a frame that is cut")
		return nil
	end
	local first, count = tvb(numbers + 16, 8):uint64(), number(raw, numbers + 24, 2)
	local body_len = number(raw, numbers + 58, 4)
	item:add(f.boot, tvb(numbers, 8))
	item:add(f.tag, tvb(numbers + 8, 8))
	item:add(f.frame_first, tvb(numbers + 16, 8))
	item:add(f.frame_count, tvb(numbers + 24, 2))
	item:add(f.frame_prev, tvb(numbers + 26, 32))
	item:add(f.frame_body_len, tvb(numbers + 58, 4))
	item:set_text("Frame of " .. clean(server) .. ", " .. count .. " events from " ..
		tostring(first))
	if flags % 4 >= 2 then
		local hash = take(r, 32)
		if hash then
			item:add(f.frame_body_hash, tvb(hash, 32))
		end
		return { server = server, names = {} }
	end
	local body = take(r, body_len)
	if not body or r.at ~= r.stop then
		complain(item, "a body that is not as long as the frame says")
		return { server = server, names = {} }
	end
	return { server = server, names = show_events(item, tvb, raw, body, body_len, first, count) }
end

local function show_head(tree, tvb, raw, at, len)
	local item = tree:add(f.head, tvb(at, len))
	local r = reader(raw, at, at + len)
	local start = take(r, 1 + 4 + 16)
	item:set_text("Head")
	if not start then
		complain(item, "a head that is cut")
		return
	end
	item:add(f.head_version, tvb(start, 1))
	item:add(f.head_flags, tvb(start + 1, 4))
	item:add(f.head_goodbye, tvb(start + 1, 4))
	item:add(f.head_disk, tvb(start + 1, 4))
	item:add(f.head_unproven, tvb(start + 1, 4))
	item:add(f.environment, tvb(start + 5, 16))
	if byte(raw, start) ~= 1 then
		complain(item, "a head of a version that is not known")
		return
	end
	local server = show_name(item, f.server, tvb, r)
	local n = server and take(r, 8 + 8 + 8 + 32 + 8 + 8 + 8 + 4 + 4 + 4)
	local signature = n and take(r, 64)
	if not signature or r.at ~= r.stop then
		complain(item, "a head that is cut, or goes on")
		return
	end
	item:add(f.boot, tvb(n, 8))
	item:add(f.tag, tvb(n + 8, 8))
	item:add(f.head_seq, tvb(n + 16, 8))
	item:add(f.head_hash, tvb(n + 24, 32))
	item:add(f.head_low, tvb(n + 56, 8))
	item:add(f.head_counter, tvb(n + 64, 8))
	add_time(item, f.head_time, tvb, n + 72, 8, number(raw, n + 76, 4), number(raw, n + 72, 4))
	item:add(f.head_running, tvb(n + 80, 4))
	item:add(f.head_waiting, tvb(n + 84, 4))
	item:add(f.head_load, tvb(n + 88, 4))
	item:add(f.head_signature, tvb(signature, 64))
	item:set_text("Head of " .. clean(server) .. " at " .. tostring(tvb(n + 16, 8):uint64()))
end

-- ---- packets ----

local function show_datagram(tree, tvb, raw, at, stop)
	local r, told, heads, sender = reader(raw, at, stop), {}, 0, nil
	while true do
		local id, wire, v = next_field(r)
		if not id then
			if wire then
				complain(tree, "a datagram that can't be read")
			end
			break
		end
		if id == 1 and wire == 2 then
			add(tree, f.sender, tvb, v.at, v.len)
			sender = clean(text_at(raw, v.at, v.len))
		elseif id == 2 and wire == 0 then
			tree:add(f.control_port, tvb(v.at, v.len), v.low)
		elseif id == 3 and wire == 2 and v.len > 0 then
			local frame = show_frame(tree, tvb, raw, v.at, v.len)
			for _, name in ipairs(frame and frame.names or {}) do
				told[#told + 1] = name
			end
		elseif id == 4 and wire == 2 and v.len > 0 then
			show_head(tree, tvb, raw, v.at, v.len)
			heads = heads + 1
		end
	end
	return (sender or "?") .. ": " .. (#told > 0 and table.concat(told, ", ") or
		heads > 0 and "head" or "nothing")
end

-- The header a sealed datagram and its clear form have in common; false when it is cut.
local function show_header(tree, tvb, len)
	tree:add(f.magic, tvb(0, 4))
	tree:add(f.version, tvb(4, 1))
	tree:add(f.flags, tvb(5, 1))
	if len < 32 then
		complain(tree, "a datagram that is cut")
		return false
	end
	tree:add(f.key_id, tvb(6, 2))
	tree:add(f.nonce, tvb(8, 24))
	return true
end

local function show_sealed(tree, tvb, raw, len)
	if not show_header(tree, tvb, len) then
		return "cut"
	end
	if len < 32 + 16 then
		complain(tree, "a datagram that is cut")
		return "cut"
	end
	add(tree, f.ciphertext, tvb, 32, len - 32 - 16)
	tree:add(f.auth_tag, tvb(len - 16, 16))
	return string.format("with key %04x", number(raw, 6, 2))
end

local function show_clear(tree, tvb, raw, len)
	if not show_header(tree, tvb, len) then
		return "cut"
	end
	return show_datagram(tree, tvb, raw, 32, len)
end

local function show_member(tree, tvb, r, field)
	local server = show_name(tree, field, tvb, r)
	return server and show_name(tree, f.address, tvb, r) and server
end

local function show_discovery(tree, tvb, raw, len)
	local answer = byte(raw, 5) == 2
	tree:add(f.magic, tvb(0, 4))
	tree:add(f.version, tvb(4, 1))
	if len < 38 then
		complain(tree, "a packet that is cut")
		return "cut"
	end
	tree:add(f.environment, tvb(6, 16))
	tree:add(f.discover_nonce, tvb(22, 16))
	if not answer then
		return "who is there?"
	end
	local r = reader(raw, 38, len)
	local protocol = take(r, 2)
	if protocol then
		tree:add(f.discover_protocol, tvb(protocol, 2))
	end
	local server = protocol and show_member(tree, tvb, r, f.server)
	local at = server and take(r, 1)
	if not at then
		complain(tree, "an answer that is cut")
		return "cut"
	end
	for _ = 1, byte(raw, at) do
		if not show_member(tree, tvb, r, f.member) then
			complain(tree, "an answer that is cut")
			break
		end
	end
	return clean(server) .. " is here"
end

local forms = {
	CHM1 = function() return "sealed", show_sealed end,
	CHC1 = function() return "clear", show_clear end,
	CHD1 = function(raw)
		return byte(raw, 5) == 2 and "answer" or "discover", show_discovery
	end,
}

-- 0 bytes taken: not ours.
function chime.dissector(tvb, pinfo, root)
	local len = tvb:captured_len()
	if len < 6 then
		return 0
	end
	local raw = tvb:raw(0, len)
	local form = forms[string.sub(raw, 1, 4)]
	if not form then
		return 0
	end
	local name, show = form(raw)
	local tree = root:add(chime, tvb(0, len))
	pinfo.cols.protocol = "CHIME"
	tree:add(f.packet, tvb(0, 4), name):set_generated()
	local told
	if byte(raw, 4) ~= 1 then
		tree:add(f.magic, tvb(0, 4))
		tree:add(f.version, tvb(4, 1))
		complain(tree, "a version that is not known")
		told = "version " .. byte(raw, 4)
	elseif tvb:reported_len() > len then
		tree:add(f.magic, tvb(0, 4))
		complain(tree, "the capture cut it")
		told = "cut by the capture"
	else
		told = show(tree, tvb, raw, len)
	end
	pinfo.cols.info = name .. " " .. told
	tree:append_text(", " .. name .. " " .. told)
	return len
end

chime:register_heuristic("udp", function(tvb, pinfo, root)
	return chime.dissector(tvb, pinfo, root) > 0
end)

local udp = DissectorTable.get("udp.port")
local port = chime.prefs.port
udp:add(port, chime)

function chime.prefs_changed()
	if port ~= chime.prefs.port then
		udp:remove(port, chime)
		port = chime.prefs.port
		udp:add(port, chime)
	end
end
