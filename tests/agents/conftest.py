"""A model that does one task with tools, in each provider's own words: write a file, then say so.

It decides by what it is asked, not by how often: agents also ask for titles, count tokens, try
again. Written by hand and without flo2's codecs, so that what an agent sees through the gateway is
measured against the API and not against ourselves.
"""

from __future__ import annotations

import json

import pytest

from flo2.testing.upstream import FakeUpstream, Scripted

DONE = "The file is written."
IDLE = "Nothing to do."
EXPECTED = "Expected the reasoning that led to this call"


def frame(data, event=None):
    head = b"" if event is None else f"event: {event}\n".encode()
    return head + b"data: " + json.dumps(data).encode() + b"\n\n"


def plain(value):
    body = json.dumps(value).encode()
    headers = (("content-type", "application/json"), ("content-length", str(len(body))))
    return Scripted(200, headers, (body,), chunked=False)


def refused(value, message):
    value["error"]["message"] = message
    body = json.dumps(value).encode()
    return Scripted(400, (("content-type", "application/json"),), (body,))


def stream(frames):
    return Scripted(200, (("content-type", "text/event-stream"),), tuple(frames))


class ScriptedModel(FakeUpstream):
    """Every provider at once, by path.

    Attributes:
        file: What is to be written, and `text` what into it.
        calls: Names of the tools it called.
        returned: How many of its calls came back with the reasoning that led to them.
    """

    def __init__(self, file, text):
        super().__init__()
        self.file, self.text = file, text
        self.calls, self.returned = [], 0
        self._number = 0

    def take(self, received):
        self.requests.append(received)
        answers = {
            "/v1/messages": self._anthropic,
            "/v1/messages/count_tokens": lambda _: plain({"input_tokens": 1000}),
            "/v1/responses": self._responses,
            "/v1/responses/input_tokens": lambda _: plain(
                {"object": "response.input_tokens", "input_tokens": 1000}
            ),
            "/v1/chat/completions": self._chat,
        }
        answer = answers.get(received.path)
        if answer is None:
            return Scripted(404, (("content-type", "application/json"),), (b'{"error":{}}',))
        return answer(received.json())

    def step(self, tools, answered):
        """Decide: `(tool, input)`, or what to say. `tools` are (name, kind)."""
        self._number += 1
        if answered:
            return DONE
        for name, kind in sorted(tools, key=lambda tool: tool[0] != "apply_patch"):
            arguments = self._arguments(name, kind)
            if arguments is not None:
                self.calls.append(name)
                return name, kind, arguments
        return IDLE

    def _arguments(self, name, kind):
        shell = f"printf %s '{self.text}' > '{self.file}'"
        if name == "Write":
            return {"file_path": str(self.file), "content": self.text}
        if name == "apply_patch":
            lines = ("*** Begin Patch", f"*** Add File: {self.file.name}", f"+{self.text}")
            patch = "\n".join([*lines, "*** End Patch"])
            # A provider without tools of free text is offered a function with one text.
            return patch if kind == "custom" else {"input": patch}
        if name == "exec_command":
            return {"cmd": shell}
        if name == "shell_command":
            return {"command": shell}
        if name == "shell":
            return {"command": ["bash", "-lc", shell]}
        return None

    # Anthropic ------------------------------------------------------------------------------------

    def _anthropic(self, body):
        last = body["messages"][-1]["content"]
        answered = isinstance(last, list) and any(b["type"] == "tool_result" for b in last)
        answered = answered or self._in_earlier_turns(body["messages"])
        tools = [(tool["name"], "function") for tool in body.get("tools", [])]
        step = self.step(tools, answered)
        thinks = (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
        if thinks and not self._thinking_is_back(body["messages"]):
            return refused({"type": "error", "error": {"type": "invalid_request_error"}}, EXPECTED)
        blocks = []
        if thinks:
            seal = f"seal-{self._number}"
            blocks.append({"type": "thinking", "thinking": "A file.", "signature": seal})
        if isinstance(step, str):
            blocks.append({"type": "text", "text": step})
        else:
            call = {"type": "tool_use", "id": f"toolu_{self._number:04}", "name": step[0]}
            blocks.append({**call, "input": step[2]})
        usage = {"input_tokens": 900, "output_tokens": 40}
        message = {
            "id": f"msg_{self._number:04}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": blocks,
            "stop_reason": "end_turn" if isinstance(step, str) else "tool_use",
            "stop_sequence": None,
            "usage": usage,
        }
        if not body.get("stream"):
            return plain(message)
        return stream(self._anthropic_frames(message))

    def _thinking_is_back(self, messages):
        """Whether what was thought stands before each call, under its own seal."""
        for message in messages:
            blocks = message["content"] if isinstance(message["content"], list) else []
            kinds = [block["type"] for block in blocks]
            if message["role"] == "assistant" and "tool_use" in kinds:
                self.returned += 1
                first = blocks[0]
                if first["type"] != "thinking" or not first["signature"].startswith("seal-"):
                    return False
        return True

    @staticmethod
    def _in_earlier_turns(messages):
        # What is said after a result was seen: a system turn may follow the results.
        return any(
            isinstance(each["content"], list)
            and any(block["type"] == "tool_result" for block in each["content"])
            for each in messages
        )

    @staticmethod
    def _anthropic_frames(message):
        def each(kind, **more):
            return frame({"type": kind, **more}, kind)

        begun = {**message, "content": [], "stop_reason": None}
        begun["usage"] = {"input_tokens": message["usage"]["input_tokens"], "output_tokens": 1}
        yield each("message_start", message=begun)
        for index, block in enumerate(message["content"]):
            if block["type"] == "thinking":
                empty = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [
                    {"type": "thinking_delta", "thinking": block["thinking"]},
                    {"type": "signature_delta", "signature": block["signature"]},
                ]
            elif block["type"] == "text":
                empty = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": word} for word in halves(block["text"])]
            else:
                empty = {**block, "input": {}}
                text = json.dumps(block["input"])
                deltas = [
                    {"type": "input_json_delta", "partial_json": part} for part in halves(text)
                ]
            yield each("content_block_start", index=index, content_block=empty)
            for delta in deltas:
                yield each("content_block_delta", index=index, delta=delta)
            yield each("content_block_stop", index=index)
        end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
        yield each("message_delta", delta=end, usage=message["usage"])
        yield each("message_stop")

    # OpenAI Chat ----------------------------------------------------------------------------------

    def _chat(self, body):
        answered = any(each["role"] == "tool" for each in body["messages"])
        tools = [
            ((tool.get("function") or tool.get("custom"))["name"], tool["type"])
            for tool in body.get("tools", [])
        ]
        step = self.step(tools, answered)
        usage = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
        head = {
            "id": f"chatcmpl-{self._number:04}",
            "created": 1_795_000_000,
            "model": body["model"],
            "usage": usage,
        }
        message = {"role": "assistant", "content": step if isinstance(step, str) else None}
        finish = "stop"
        if not isinstance(step, str):
            function = {"name": step[0], "arguments": json.dumps(step[2])}
            call = {"id": f"call_{self._number:04}", "type": "function", "function": function}
            message["tool_calls"], finish = [call], "tool_calls"
        if not body.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return plain({**head, "object": "chat.completion", "choices": [choice]})
        head["object"], head["usage"] = "chat.completion.chunk", None
        deltas = [{"role": "assistant", "content": ""}]
        if isinstance(step, str):
            deltas += [{"content": part} for part in halves(step)]
        else:
            begun = {**function, "arguments": ""}
            deltas.append({"tool_calls": [{**call, "index": 0, "function": begun}]})
            deltas += [
                {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
                for part in halves(function["arguments"])
            ]
        frames = [
            frame({**head, "choices": [{"index": 0, "delta": each, "finish_reason": None}]})
            for each in deltas
        ]
        frames.append(
            frame({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        )
        frames.append(frame({**head, "choices": [], "usage": usage}))
        return stream([*frames, b"data: [DONE]\n\n"])

    # OpenAI Responses -----------------------------------------------------------------------------

    def _responses(self, body):
        items = body["input"] if isinstance(body["input"], list) else []
        if (body.get("reasoning") or {}).get("effort") and not self._reasoning_is_back(items):
            return refused({"error": {"type": "invalid_request_error"}}, EXPECTED)
        answered = any(str(each.get("type", "")).endswith("_call_output") for each in items)
        step = self.step([*_offered(body.get("tools", []))], answered)
        output = []
        if (body.get("reasoning") or {}).get("effort"):
            sealed = f"sealed-{self._number}"
            item = {"type": "reasoning", "id": f"rs_{self._number:04}", "summary": []}
            output.append({**item, "encrypted_content": sealed})
        if isinstance(step, str):
            text = {"type": "output_text", "text": step, "annotations": [], "logprobs": []}
            item = {"type": "message", "id": f"msg_{self._number:04}", "status": "completed"}
            output.append({**item, "role": "assistant", "content": [text]})
        elif step[1] == "custom":
            item = {"type": "custom_tool_call", "id": f"ctc_{self._number:04}"}
            call = {"call_id": f"call_{self._number:04}", "name": step[0], "input": step[2]}
            output.append({**item, "status": "completed", **call})
        else:
            item = {"type": "function_call", "id": f"fc_{self._number:04}"}
            call = {"call_id": f"call_{self._number:04}", "name": step[0]}
            output.append({**item, "status": "completed", **call, "arguments": json.dumps(step[2])})
        usage = {
            "input_tokens": 900,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 940,
        }
        response = {
            "id": f"resp_{self._number:04}",
            "object": "response",
            "created_at": 1_795_000_000,
            "status": "completed",
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": body.get("tools", []),
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "temperature": 1,
            "top_p": 1,
            "usage": usage,
        }
        if not body.get("stream"):
            return plain(response)
        return stream(_response_frames(response))

    def _reasoning_is_back(self, items):
        """Whether a reasoning item of ours stands before each call."""
        kinds = [each.get("type") for each in items]
        for place, kind in enumerate(kinds):
            if kind in {"function_call", "custom_tool_call"}:
                self.returned += 1
                before = items[place - 1] if place else {}
                sealed = before.get("encrypted_content") or ""
                if before.get("type") != "reasoning" or not sealed.startswith("sealed-"):
                    return False
        return True


def _offered(tools):
    for tool in tools:
        if tool["type"] == "namespace":
            yield from _offered(tool["tools"])
        elif "name" in tool:
            yield tool["name"], tool["type"]


def _response_frames(response):
    number = 0

    def each(kind, **more):
        nonlocal number
        number += 1
        return frame({"type": kind, "sequence_number": number - 1, **more}, kind)

    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield each("response.created", response=begun)
    yield each("response.in_progress", response=begun)
    for index, item in enumerate(response["output"]):
        at = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            (part,) = item["content"]
            yield each(
                "response.output_item.added",
                output_index=index,
                item={**item, "status": "in_progress", "content": []},
            )
            at["content_index"] = 0
            yield each("response.content_part.added", **at, part={**part, "text": ""})
            for piece in halves(part["text"]):
                yield each("response.output_text.delta", **at, delta=piece, logprobs=[])
            yield each("response.output_text.done", **at, text=part["text"], logprobs=[])
            yield each("response.content_part.done", **at, part=part)
        elif item["type"] == "reasoning":
            yield each(
                "response.output_item.added",
                output_index=index,
                item={**item, "encrypted_content": ""},
            )
        else:
            field, name = ("input", "custom_tool_call_input")
            if item["type"] == "function_call":
                field, name = ("arguments", "function_call_arguments")
            empty = {**item, "status": "in_progress", field: ""}
            yield each("response.output_item.added", output_index=index, item=empty)
            for piece in halves(item[field]):
                yield each(f"response.{name}.delta", **at, delta=piece)
            yield each(f"response.{name}.done", **at, **{field: item[field]})
        yield each("response.output_item.done", output_index=index, item=item)
    yield each("response.completed", response=response)


def halves(text):
    middle = len(text) // 2
    return [part for part in (text[:middle], text[middle:]) if part]


@pytest.fixture
def scripted(tmp_path):
    """Give the folder to work in and the model whose task is one file in it."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder, ScriptedModel(folder / "note.txt", "written by an agent")
