"""Features of Gemini (https://ai.google.dev/api/generate-content, read 2026-11-25)."""

from __future__ import annotations

from typing import Any, Final

from flo2.testing.features import PIXEL, Feature, Features

__all__ = ["GEMINI"]

_SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}
_TOOL: Final = {
    "functionDeclarations": [
        {"name": "weather", "description": "Tells it.", "parametersJsonSchema": _SCHEMA}
    ]
}
_USER: Final = {"role": "user", "parts": [{"text": "Hi"}]}
_CALL: Final = {"functionCall": {"id": "call_1", "name": "weather", "args": {"city": "Oslo"}}}


def _turns(*contents: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [*contents]}


def _parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return _turns({"role": "user", "parts": [{"text": "Look:"}, *parts]})


def _model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": [*parts]}


def _inline(mime: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": mime, "data": data}}


def _config(**more: Any) -> dict[str, Any]:
    return {"generationConfig": more}


def _calling(**more: Any) -> dict[str, Any]:
    return {"tools": [_TOOL], "toolConfig": {"functionCallingConfig": more}}


def _result(response: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {"id": "call_1", "name": "weather", "response": response, **more}
    result = {"role": "user", "parts": [{"functionResponse": told}]}
    return {"tools": [_TOOL], **_turns(_USER, _model(_CALL), result)}


def _answer(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> dict[str, Any]:
    told = {"content": _model(*parts), "finishReason": finish, "index": 0, **more}
    return {"candidates": [told]}


_TEXT: Final = {"text": "Hi"}
_USAGE: Final = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}

GEMINI: Final = Features(
    dialect="gemini",
    request={"contents": [_USER]},
    answer={
        **_answer(_TEXT),
        "usageMetadata": _USAGE,
        "modelVersion": "m",
        "responseId": "r1",
    },
    asks=(
        Feature("`systemInstruction`", {"systemInstruction": {"parts": [{"text": "Be."}]}}),
        Feature("several turns", _turns(_USER, _model(_TEXT), _USER)),
        Feature("image by value", _parts(_inline("image/png", PIXEL))),
        Feature("PDF by value", _parts(_inline("application/pdf", "JVBERi0xLjQK"))),
        Feature("audio by value", _parts(_inline("audio/wav", "UklGRg=="))),
        Feature("video by value", _parts(_inline("video/mp4", "AAAA"))),
        Feature(
            "`fileData`",
            _parts({"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a"}}),
        ),
        Feature("`tools[].functionDeclarations`", {"tools": [_TOOL]}),
        Feature(
            "`functionDeclarations[].parameters`",
            {
                "tools": [
                    {
                        "functionDeclarations": [
                            {
                                "name": "weather",
                                "parameters": {
                                    "type": "OBJECT",
                                    "properties": {"city": {"type": "STRING"}},
                                },
                            }
                        ]
                    }
                ]
            },
        ),
        Feature("`tools[].googleSearch`", {"tools": [{"googleSearch": {}}]}),
        Feature("`tools[].codeExecution`", {"tools": [{"codeExecution": {}}]}),
        Feature("`functionCallingConfig: ANY`", _calling(mode="ANY")),
        Feature("`functionCallingConfig: NONE`", _calling(mode="NONE")),
        Feature(
            "`allowedFunctionNames` of one", _calling(mode="ANY", allowedFunctionNames=["weather"])
        ),
        Feature("function call and its response", _result({"result": "Rain"})),
        Feature(
            "function response with an image",
            _result({"result": "Rain"}, parts=[_inline("image/png", PIXEL)]),
        ),
        Feature(
            "thought in an earlier turn, with its signature",
            _turns(
                _USER,
                _model({"text": "So.", "thought": True}, {**_TEXT, "thoughtSignature": "c2VhbA=="}),
                _USER,
            ),
        ),
        Feature(
            "function call with its signature",
            {
                "tools": [_TOOL],
                **_turns(
                    _USER,
                    _model({**_CALL, "thoughtSignature": "c2VhbA=="}),
                    {
                        "role": "user",
                        "parts": [
                            {
                                "functionResponse": {
                                    "id": "call_1",
                                    "name": "weather",
                                    "response": {"result": "Rain"},
                                }
                            }
                        ],
                    },
                ),
            },
        ),
        Feature("`maxOutputTokens`", _config(maxOutputTokens=100)),
        Feature("`temperature`", _config(temperature=0.5)),
        Feature("`temperature` above 1", _config(temperature=1.5)),
        Feature("`topP`", _config(topP=0.5)),
        Feature("`topK`", _config(topK=40)),
        Feature("`stopSequences`", _config(stopSequences=["END"])),
        Feature("`seed`", _config(seed=7)),
        Feature("`candidateCount`", _config(candidateCount=2)),
        Feature("`presencePenalty`", _config(presencePenalty=0.5)),
        Feature("`frequencyPenalty`", _config(frequencyPenalty=0.5)),
        Feature("`responseLogprobs`, `logprobs`", _config(responseLogprobs=True, logprobs=2)),
        Feature(
            "`responseMimeType: application/json`", _config(responseMimeType="application/json")
        ),
        Feature(
            "`responseJsonSchema`",
            _config(responseMimeType="application/json", responseJsonSchema=_SCHEMA),
        ),
        Feature(
            "`responseSchema`",
            _config(
                responseMimeType="application/json",
                responseSchema={"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
            ),
        ),
        Feature("`thinkingBudget`", _config(thinkingConfig={"thinkingBudget": 1024})),
        Feature("`thinkingBudget: 0`", _config(thinkingConfig={"thinkingBudget": 0})),
        Feature("`thinkingLevel`", _config(thinkingConfig={"thinkingLevel": "high"})),
        Feature("`includeThoughts`", _config(thinkingConfig={"includeThoughts": True})),
        Feature("`responseModalities`", _config(responseModalities=["TEXT", "IMAGE"])),
        Feature(
            "`safetySettings`",
            {
                "safetySettings": [
                    {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
                ]
            },
        ),
        Feature("`cachedContent`", {"cachedContent": "cachedContents/1"}),
        Feature("`labels`", {"labels": {"job": "1"}}),
        Feature("`serviceTier`", {"serviceTier": "flex"}),
        Feature("a field nobody has modelled", {"invented": True}),
    ),
    tells=(
        Feature("text", _answer({"text": "Hello"})),
        Feature("function call", _answer(_CALL)),
        Feature(
            "function call with a signature", _answer({**_CALL, "thoughtSignature": "c2VhbA=="})
        ),
        Feature("thought", _answer({"text": "So.", "thought": True}, _TEXT)),
        Feature("signature on text", _answer({**_TEXT, "thoughtSignature": "c2VhbA=="})),
        Feature("image", _answer(_inline("image/png", PIXEL))),
        Feature(
            "grounding",
            _answer(
                _TEXT,
                groundingMetadata={
                    "webSearchQueries": ["q"],
                    "groundingChunks": [{"web": {"uri": "https://example.com", "title": "E"}}],
                },
            ),
        ),
        Feature(
            "code execution",
            _answer(
                {"executableCode": {"language": "PYTHON", "code": "1"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
                _TEXT,
            ),
        ),
        Feature("`finishReason: MAX_TOKENS`", _answer(_TEXT, finish="MAX_TOKENS")),
        Feature("`finishReason: SAFETY`", _answer(_TEXT, finish="SAFETY")),
        Feature(
            "`finishReason: MALFORMED_FUNCTION_CALL`",
            _answer(_TEXT, finish="MALFORMED_FUNCTION_CALL"),
        ),
        Feature("cached tokens", {"usageMetadata": {**_USAGE, "cachedContentTokenCount": 4}}),
        Feature(
            "thought tokens",
            {"usageMetadata": {**_USAGE, "thoughtsTokenCount": 2, "totalTokenCount": 17}},
        ),
    ),
)
