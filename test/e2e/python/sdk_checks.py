"""Checks Chat Completions, models and files with the unmodified official Python SDK.

Prints one JSON line for each check, and exits with 1 if a check failed. The only configuration is OPENAI_BASE_URL and
OPENAI_API_KEY, which the SDK reads from the environment.
"""

import asyncio
import base64
import json

import openai
from checks import check, expect_error, run_all
from openai import AsyncOpenAI, OpenAI

MODEL = "turnout-sim"
FACT = "The night train to Ostheim leaves from platform 11."
QUESTION = "From which platform does the night train to Ostheim leave?"
ASKED = [{"role": "system", "content": FACT}, {"role": "user", "content": QUESTION}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

def say(text):
    return [{"role": "user", "content": text}]


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@check
def answers_whole():
    completion = OpenAI().chat.completions.create(model=MODEL, messages=ASKED)
    assert "platform 11" in completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens > 0
    assert completion._request_id.startswith("req_")


@check
def streams_what_it_answers_whole_with_the_same_usage():
    client = OpenAI()
    whole = client.chat.completions.create(model=MODEL, messages=ASKED)
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model=MODEL, messages=ASKED, stream=True, stream_options=options))
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage


@check
def keeps_the_conversation():
    client = OpenAI()
    messages = say("My dog is Bello. Remember it.")
    first = client.chat.completions.create(model=MODEL, messages=messages)
    messages = [*messages, first.choices[0].message, *say("What is my dog?")]
    second = client.chat.completions.create(model=MODEL, messages=messages)
    assert "Bello" in second.choices[0].message.content


@check
def shows_the_reasoning():
    client = OpenAI()
    whole = client.chat.completions.create(model="turnout-sim-reasoner", messages=ASKED, reasoning_effort="low")
    assert QUESTION[:20] in whole.choices[0].message.reasoning_content
    stream = client.chat.completions.create(
        model="turnout-sim-reasoner", messages=ASKED, reasoning_effort="low", stream=True
    )
    thought = "".join(getattr(c.choices[0].delta, "reasoning_content", None) or "" for c in stream if c.choices)
    assert thought == whole.choices[0].message.reasoning_content


@check
def passes_tools_both_ways():
    client = OpenAI()
    messages = say("Please call get_weather for city: Oslo")
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    [call] = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    result = {"role": "tool", "tool_call_id": call.id, "content": "-3 degrees, snow"}
    messages = [*messages, first.choices[0].message, result]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert "-3 degrees, snow" in second.choices[0].message.content


@check
def answers_twice_and_in_json():
    client = OpenAI()
    twice = client.chat.completions.create(model=MODEL, messages=ASKED, n=2)
    assert [choice.index for choice in twice.choices] == [0, 1]
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, response_format={"type": "json_object"})
    assert json.loads(answer.choices[0].message.content)["question"] == QUESTION


@check
def reads_documents():
    data = "data:text/plain;base64," + base64.b64encode(FACT.encode()).decode()
    file = {"type": "file", "file": {"filename": "timetable.txt", "file_data": data}}
    content = [{"type": "text", "text": QUESTION}, file]
    completion = OpenAI().chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "platform 11" in completion.choices[0].message.content


@check
def raises_its_own_errors():
    client = OpenAI(max_retries=0)
    create = client.chat.completions.create
    error = expect_error(
        openai.AuthenticationError,
        lambda: client.with_options(api_key="sk-turnout-nobody").chat.completions.create(model=MODEL, messages=ASKED),
    )
    assert error.code == "invalid_api_key" and error.request_id.startswith("req_")
    error = expect_error(openai.BadRequestError, lambda: create(model=MODEL, messages=ASKED, temperature=9))
    assert error.param == "temperature"
    error = expect_error(openai.NotFoundError, lambda: create(model="gpt-none", messages=ASKED))
    assert error.code == "model_not_found"
    error = expect_error(
        openai.RateLimitError, lambda: create(model=MODEL, messages=say("Hi [[sim: fail=429; retryAfter=7]]"))
    )
    assert error.response.headers["retry-after"] == "7"
    error = expect_error(openai.InternalServerError, lambda: create(model=MODEL, messages=say("Hi [[sim: fail=500]]")))
    assert error.status_code == 502
    too_much = say("x" * (34 * 1024 * 1024))
    error = expect_error(openai.APIStatusError, lambda: create(model=MODEL, messages=too_much))
    assert error.status_code == 413 and error.code == "body_too_large"


@check
def raises_in_the_middle_of_a_stream():
    messages = say("My seat is 12. What is my seat? [[sim: tps=100; tokens=40; cut=20]]")
    chunks = []

    def read():
        for chunk in OpenAI(max_retries=0).chat.completions.create(model=MODEL, messages=messages, stream=True):
            chunks.append(chunk)

    error = expect_error(openai.APIError, read)
    assert error.code in ("upstream_cut", "upstream_failed")
    assert "seat is 12." in text_of(chunks)


@check
def its_timeout_is_the_deadline():
    client = OpenAI(max_retries=0, timeout=2)
    try:
        client.chat.completions.create(model=MODEL, messages=say("Hi [[sim: hang]]"))
    except (openai.APITimeoutError, openai.InternalServerError):
        return
    raise AssertionError("a hanging model answered")


@check
def tells_the_headers():
    raw = OpenAI().chat.completions.with_raw_response.create(model=MODEL, messages=ASKED)
    assert raw.headers["x-turnout-job-id"] in raw.parse().id
    assert raw.headers["x-turnout-path"] == "litellm" and raw.headers["x-turnout-attempts"] == "1"


@check
def lists_and_retrieves_models():
    client = OpenAI()
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    expect_error(openai.NotFoundError, lambda: client.models.retrieve("gpt-none"))


@check
def uploads_a_file_and_asks_about_it():
    client = OpenAI()
    expires = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=("timetable.md", FACT.encode()), purpose="user_data", expires_after=expires)
    assert (file.object, file.filename, file.bytes, file.purpose) == ("file", "timetable.md", len(FACT), "user_data")
    assert file.expires_at == file.created_at + 3600
    assert file.id in [found.id for found in client.files.list(purpose="user_data")]
    content = [{"type": "text", "text": QUESTION}, {"type": "file", "file": {"file_id": file.id}}]
    completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "platform 11" in completion.choices[0].message.content
    assert client.files.content(file.id).read() == FACT.encode()
    assert client.files.delete(file.id).deleted
    expect_error(openai.NotFoundError, lambda: client.files.retrieve(file.id))


@check
async def answers_asynchronously():
    async with AsyncOpenAI() as client:
        whole = await client.chat.completions.create(model=MODEL, messages=ASKED)
        stream = await client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
        chunks = [chunk async for chunk in stream]
    assert "platform 11" in whole.choices[0].message.content
    assert text_of(chunks) == whole.choices[0].message.content


@check
async def streams_50_at_the_same_time_each_its_own():
    async with AsyncOpenAI() as client:

        async def ask(seat):
            messages = say(f"My seat is {seat}. What is my seat? [[sim: ttft=100; tps=200]]")
            stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
            return text_of([chunk async for chunk in stream])

        answers = await asyncio.gather(*(ask(2000 + i) for i in range(50)))
    for i, answer in enumerate(answers):
        assert f"seat is {2000 + i}." in answer, answer


@check
async def raises_its_own_errors_asynchronously():
    async with AsyncOpenAI(max_retries=0) as client:
        try:
            await client.chat.completions.create(model=MODEL, messages=say("Hi [[sim: fail=500]]"), stream=True)
        except openai.InternalServerError as error:
            assert error.code == "upstream_failed"
            return
    raise AssertionError("expected InternalServerError")


run_all()
