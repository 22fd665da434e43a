"""Trains the model in the box. Needs PyTorch, the package `tokenizers`, and a GPU.

    python3 train.py OUT_FOLDER [--steps 16000] [--workers 16] [--max-seconds 0] [--tiny]

Writes OUT_FOLDER/model.safetensors (bfloat16) and OUT_FOLDER/train.json. --max-seconds lowers the number of steps when
the machine is too slow for all of them; --tiny is a test of the program on a CPU.
"""
import argparse
import json
import math
import multiprocessing
import os
import random
import struct
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
SHORT, LONG = 256, 640  # row lengths; a dialogue never crosses a row
SHARDS = 64
ROLES = {"system": 2043, "user": 2044, "assistant": 2045, "tool": 2046}
END = 2047


# ---------------------------------------------------------------- data

def encode_dialogue(encode, messages, limit):
    """(ids, is an answer) of the longest beginning that ends after an answer and fits."""
    ids, loss, best = [], [], 0
    for role, text in messages:
        t = encode(text)
        ids += [ROLES[role], *t, END]
        loss += [0] + [int(role == "assistant")] * (len(t) + 1)
        if len(ids) > limit:
            break
        if role == "assistant":
            best = len(ids)
    return ids[:best], loss[:best]


def shard(args):
    """Rows of dialogues, packed first-fit: ids, number of the dialogue in its row, is an answer."""
    index, length, n_rows = args
    from tokenizers import Tokenizer

    from dialogues import dialogue, scenario
    tok = Tokenizer.from_file(os.path.join(HERE, "tokenizer.json"))
    cache = {}

    def encode(text):
        t = cache.get(text)
        if t is None:
            t = cache[text] = tok.encode(text).ids
        return t

    r = random.Random(f"shard {length} {index}")
    rows = np.zeros((n_rows, 3, length), np.uint16)
    used = [[0, 0] for _ in range(n_rows)]  # tokens, dialogues
    opened, first = list(range(min(48, n_rows))), min(48, n_rows)
    count = 0
    while opened:
        count += 1
        m = dialogue(r, long=length == LONG)
        if length == SHORT and count % 200 == 0:
            m = [x for x in r.choice(scenario())[0]]
            m.append(("assistant", dict((q[1][1], a) for q, a in scenario())[m[1][1]]))
        ids, loss = encode_dialogue(encode, m, length)
        if not ids:
            continue
        row = next((i for i in opened if used[i][0] + len(ids) <= length), None)
        if row is None:  # close the fullest row, open the next one
            row = max(opened, key=lambda i: used[i][0])
            opened.remove(row)
            if first == n_rows:
                continue
            row, first = first, first + 1
            opened.append(row)
        a, n = used[row]
        b = a + len(ids)
        rows[row, 0, a:b], rows[row, 1, a:b], rows[row, 2, a:b] = ids, n + 1, loss
        used[row] = [b, n + 1]
    return rows


def make_rows(pool, length, n_rows):
    per = n_rows // SHARDS
    out = list(pool.imap(shard, [(i, length, per) for i in range(SHARDS)]))
    return torch.from_numpy(np.concatenate(out).astype(np.int16))


# ---------------------------------------------------------------- model

class Config:
    def __init__(self, path):
        for k, v in json.load(open(path)).items():
            setattr(self, k, v)


class RMSNorm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n)), eps

    def forward(self, x):
        y = x.float()
        return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + self.eps)).to(x.dtype) * self.weight


def rotate(x, cos, sin):
    a, b = x.float().chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.h, self.kv, self.d = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.q_proj = nn.Linear(c.hidden_size, self.h * self.d, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, self.kv * self.d, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, self.kv * self.d, bias=False)
        self.o_proj = nn.Linear(self.h * self.d, c.hidden_size, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, _ = x.shape
        q = rotate(self.q_proj(x).view(b, t, self.h, self.d).transpose(1, 2), cos, sin)
        k = rotate(self.k_proj(x).view(b, t, self.kv, self.d).transpose(1, 2), cos, sin)
        v = self.v_proj(x).view(b, t, self.kv, self.d).transpose(1, 2)
        k, v = (y.repeat_interleave(self.h // self.kv, 1) for y in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        self.mlp = MLP(c)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """The names of the parameters are those of the Hugging Face checkpoint, less the word `model.`."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_norm_eps)
        inv = 1.0 / c.rope_theta ** (torch.arange(0, c.head_dim, 2).float() / c.head_dim)
        ang = torch.arange(c.max_position_embeddings).float()[:, None] * inv
        self.register_buffer("cos", ang.cos(), persistent=False)
        self.register_buffer("sin", ang.sin(), persistent=False)
        for n, p in self.named_parameters():
            if p.dim() == 2:
                deep = n.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 / (math.sqrt(2 * c.num_hidden_layers) if deep else 1))

    def forward(self, ids, seg, loss):
        t = ids.shape[1]
        causal = torch.ones(t, t, dtype=torch.bool, device=ids.device).tril()
        mask = (causal & (seg[:, :, None] == seg[:, None, :]))[:, None]
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:t], self.sin[:t], mask)
        x = self.norm(x)[:, :-1]
        want = torch.where(loss[:, 1:] > 0, ids[:, 1:], -100)  # an answer never begins a row or a dialogue
        logits = F.linear(x, self.embed_tokens.weight)
        return F.cross_entropy(logits.float().flatten(0, 1), want.flatten(), ignore_index=-100)


def save(model, path):
    """safetensors: the length of the header, the header as JSON, the tensors."""
    tensors = {"model." + n: p.detach().to(torch.bfloat16).cpu().contiguous() for n, p in model.named_parameters()}
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for n in sorted(tensors):
        size = tensors[n].numel() * 2
        head[n] = {"dtype": "BF16", "shape": list(tensors[n].shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for n in sorted(tensors):
            f.write(tensors[n].view(torch.int16).numpy().tobytes())


# ---------------------------------------------------------------- training

def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--steps", type=int, default=16000)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--tokens", type=int, default=65536, help="tokens a step")
    p.add_argument("--rows", type=int, default=524288, help="short rows of training data")
    p.add_argument("--long-rows", type=int, default=65536)
    p.add_argument("--long-every", type=int, default=4, help="every which step has long rows")
    p.add_argument("--workers", type=int, default=16)
    p.add_argument("--max-seconds", type=float, default=0)
    p.add_argument("--tiny", action="store_true")
    a = p.parse_args()
    if a.tiny:
        a.rows, a.long_rows, a.tokens = 512, 128, 2560
    os.makedirs(a.out, exist_ok=True)
    start = time.time()

    def say(*x):
        print(f"{time.time() - start:7.1f}s", *x, flush=True)

    with multiprocessing.get_context("fork").Pool(a.workers) as pool:
        data = [make_rows(pool, SHORT, a.rows), make_rows(pool, LONG, a.long_rows)]
    filled = [float((d[:, 1] > 0).float().mean()) for d in data]
    say("rows", [list(d.shape) for d in data], "filled", filled, "tokens",
        sum(int((d[:, 1] > 0).sum()) for d in data), "answers", sum(int(d[:, 2].sum()) for d in data))
    dev = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(1)
    torch.set_float32_matmul_precision("high")
    data = [d.to(dev) for d in data]
    model = Llama(Config(os.path.join(HERE, "config.json"))).to(dev)
    n_params = sum(x.numel() for x in model.parameters())
    say("parameters", n_params)
    decay = [x for x in model.parameters() if x.dim() == 2]
    plain = [x for x in model.parameters() if x.dim() != 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
                            lr=a.rate, betas=(0.9, 0.95), fused=dev == "cuda")
    step_fn = torch.compile(model, dynamic=False) if dev == "cuda" else model
    order = [torch.empty(0, dtype=torch.long)] * 2
    gen = torch.Generator().manual_seed(2)
    total, warm, log, t0, mean = a.steps, 200, [], None, 0.0
    for step in range(10 ** 9):
        if step >= total:
            break
        if step == 100:
            t0 = time.time()
        if step == 300 and a.max_seconds:
            per = (time.time() - t0) / 200
            room = a.max_seconds - (time.time() - start)
            total = min(total, 300 + int(room / per))
            say(f"{1000 * per:.1f} ms a step, {total} steps")
        which = int(step % a.long_every == a.long_every - 1)
        n = a.tokens // (SHORT, LONG)[which]
        if len(order[which]) < n:
            order[which] = torch.randperm(len(data[which]), generator=gen)
        pick, order[which] = order[which][:n], order[which][n:]
        batch = data[which][pick.to(dev)].long()
        rate = a.rate * min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * step / total))
        for g in opt.param_groups:
            g["lr"] = rate
        with torch.autocast(dev, torch.bfloat16, enabled=dev == "cuda"):
            loss = step_fn(batch[:, 0], batch[:, 1], batch[:, 2])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        if step % 500 == 0 or step == total - 1:
            log.append([step, round(loss.item(), 5)])
            say("step", step, "loss", log[-1][1], "long" if which else "short")
    save(model, os.path.join(a.out, "model.safetensors"))
    info = {"parameters": n_params, "steps": total, "tokens_a_step": a.tokens, "rate": a.rate,
            "rows": [list(d.shape) for d in data], "filled": filled, "seconds": round(time.time() - start, 1),
            "torch": torch.__version__, "loss": log}
    with open(os.path.join(a.out, "train.json"), "w") as f:
        json.dump(info, f)
    say("done")


if __name__ == "__main__":
    main()
