"""Checks the Responses API with the unmodified official Python SDK.

Prints one JSON line for each check, and exits with 1 if a check failed. The only configuration is OPENAI_BASE_URL and
OPENAI_API_KEY, which the SDK reads from the environment.
"""

import base64
import json
import time

import openai
from checks import check, expect_error, run_all
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

MODEL = "turnout-sim"
FACT = "The night train to Ostheim leaves from platform 11."
QUESTION = "From which platform does the night train to Ostheim leave?"
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
SLOW = f"{QUESTION} [[sim: tokens=30; tps=40]]"


def deltas(events):
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def ended(client, response):
    deadline = time.monotonic() + 30
    while response.status in ("queued", "in_progress"):
        assert time.monotonic() < deadline, response
        time.sleep(0.05)
        response = client.responses.retrieve(response.id)
    return response


@check
def answers_whole_and_is_stored():
    client = OpenAI()
    response = client.responses.create(model=MODEL, instructions=FACT, input=QUESTION, metadata={"a": "b"})
    assert response.status == "completed" and "platform 11" in response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    assert client.responses.retrieve(response.id) == response


@check
def streams_by_the_helper():
    client = OpenAI()
    with client.responses.stream(model=MODEL, instructions=FACT, input=QUESTION) as stream:
        text = deltas(stream)
        response = stream.get_final_response()
    assert text == response.output_text and "platform 11" in text


@check
def runs_in_the_background_and_is_polled():
    client = OpenAI()
    started = client.responses.create(model=MODEL, input=SLOW, background=True)
    assert started.status == "queued"
    assert ended(client, started).status == "completed"


@check
def goes_on_where_its_stream_was_dropped():
    client = OpenAI()
    head = []
    for event in client.responses.create(model=MODEL, input=SLOW, background=True, stream=True):
        head.append(event)
        if event.sequence_number == 9:
            break
    id = head[0].response.id
    tail = list(client.responses.retrieve(id, stream=True, starting_after=9))
    assert [event.sequence_number for event in head + tail] == list(range(len(head) + len(tail)))
    assert deltas(head + tail) == client.responses.retrieve(id).output_text


@check
def is_cancelled_and_deleted():
    client = OpenAI()
    started = client.responses.create(model=MODEL, input=f"{QUESTION} [[sim: tokens=500; tps=20]]", background=True)
    assert client.responses.cancel(started.id).status == "cancelled"
    assert client.responses.cancel(started.id).status == "cancelled"
    client.responses.delete(started.id)
    expect_error(openai.NotFoundError, lambda: client.responses.retrieve(started.id))


@check
def calls_a_tool_and_goes_on():
    client = OpenAI()
    first = client.responses.create(model=MODEL, input="Weather?", tools=[WEATHER], tool_choice="required")
    call = first.output[0]
    assert "city" in json.loads(call.arguments)
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    second = client.responses.create(model=MODEL, previous_response_id=first.id, input=[output])
    assert "sunny" in second.output_text
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.type for item in items] == ["message", "function_call", "function_call_output"]


@check
def keeps_the_conversation():
    client = OpenAI()
    first = client.responses.create(model=MODEL, input="My dog is Bello. Remember it.")
    second = client.responses.create(model=MODEL, input="What is my dog?", previous_response_id=first.id)
    assert "Bello" in second.output_text and second.previous_response_id == first.id
    turns = [{"role": "user", "content": "My dog is Bello. Remember it."}, *first.output]
    sent = client.responses.create(model=MODEL, input=[*turns, {"role": "user", "content": "What is my dog?"}])
    assert "Bello" in sent.output_text


@check
def shows_the_thinking():
    client = OpenAI()
    with client.responses.stream(
        model="turnout-sim-reasoner", input=QUESTION, reasoning={"effort": "low", "summary": "auto"}
    ) as stream:
        events = list(stream)
        response = stream.get_final_response()
    thought = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].summary[0].text == thought and QUESTION[:20] in thought
    assert response.usage.output_tokens_details.reasoning_tokens == 16


@check
def answers_in_a_structure():
    class Departure(BaseModel):
        platform: int
        train: str

    response = OpenAI().responses.parse(model=MODEL, input=QUESTION, text_format=Departure)
    assert isinstance(response.output_parsed, Departure)


@check
def a_call_streams_by_the_helper():
    question = "Please call get_weather for city: Oslo"
    with OpenAI().responses.stream(model=MODEL, input=question, tools=[WEATHER]) as stream:
        response = stream.get_final_response()
    assert json.loads(response.output[0].arguments) == {"city": "Oslo"}


@check
def reads_a_document():
    data = "data:text/plain;base64," + base64.b64encode(FACT.encode()).decode()
    content = [
        {"type": "input_file", "filename": "timetable.txt", "file_data": data},
        {"type": "input_text", "text": QUESTION},
    ]
    response = OpenAI().responses.create(model=MODEL, input=[{"role": "user", "content": content}])
    assert "platform 11" in response.output_text


@check
def raises_its_own_errors():
    client = OpenAI(max_retries=0)
    create = client.responses.create
    error = expect_error(openai.BadRequestError, lambda: create(model=MODEL, input="x", extra_body={"colour": 1}))
    assert error.code == "unknown_parameter" and error.param == "colour"
    expect_error(openai.BadRequestError, lambda: create(model=MODEL, input="x", background=True, store=False))
    expect_error(openai.NotFoundError, lambda: create(model="gpt-none", input="x"))


@check
async def answers_asynchronously():
    async with AsyncOpenAI() as client:
        stream = await client.responses.create(model=MODEL, input=f"{FACT} {QUESTION}", stream=True)
        events = [event async for event in stream]
    assert events[-1].type == "response.completed" and "platform 11" in deltas(events)


run_all()
