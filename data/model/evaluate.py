"""Tests a model on the held-out prompts: greedy answers in float32, exact match.

    python3 evaluate.py [MODEL_FOLDER] [--json eval.json] [--cpu] [--misses 5]     needs PyTorch and transformers
"""
import argparse
import json
import os

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from dialogues import PERSONA, held_out, scenario, style
from knowledge import K

HERE = os.path.dirname(os.path.abspath(__file__))


def encode(tok, messages):
    return tok.encode("".join(f"<|{role}|>{text}<|end|>" for role, text in messages) + "<|assistant|>",
                      add_special_tokens=False)


@torch.no_grad()
def greedy(model, prompts, end, limit=64, batch=400):
    """The ids that follow each prompt, the end token included."""
    out = [None] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    for at in range(0, len(order), batch):
        some = order[at:at + batch]
        n = max(len(prompts[i]) for i in some)
        ids = torch.tensor([[end] * (n - len(prompts[i])) + prompts[i] for i in some], device=model.device)
        mask = torch.tensor([[0] * (n - len(prompts[i])) + [1] * len(prompts[i]) for i in some], device=model.device)
        got = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=limit, eos_token_id=end,
                             pad_token_id=end)[:, n:].tolist()
        for i, g in zip(some, got):
            out[i] = g[:g.index(end) + 1] if end in g else g
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model", nargs="?", default=HERE)
    p.add_argument("--json")
    p.add_argument("--cpu", action="store_true")
    p.add_argument("--misses", type=int, default=3)
    a = p.parse_args()
    dev = "cpu" if a.cpu or not torch.cuda.is_available() else "cuda"
    torch.backends.cuda.matmul.allow_tf32 = False
    tok = AutoTokenizer.from_pretrained(HERE)
    model = LlamaForCausalLM.from_pretrained(a.model, dtype=torch.float32).to(dev).eval()
    end = tok.convert_tokens_to_ids("<|end|>")
    sets = held_out()
    sets["(in training) the three requests of the first lesson"] = scenario()
    sets["(in training) each question of common knowledge, alone"] = [([("user", asks[0])], s) for _, asks, s, _ in K]
    sets["(in training) the 3 requests, other system prompt"] = [
        ([("system", "You are a helpful assistant. Answer in a short sentence."), m[1]], s) for m, s in scenario()]
    flat = [(k, m, w) for k, v in sets.items() for m, w in v]
    prompts = [encode(tok, m) for _, m, _ in flat]
    got = greedy(model, prompts, end)
    res = {}
    for (k, m, want), ids, g in zip(flat, prompts, got):
        r = res.setdefault(k, {"n": 0, "right": 0, "tokens": [9999, 0], "odd_tokens": 0, "misses": []})
        text = tok.decode(g[:-1] if g[-1] == end else g, skip_special_tokens=False)
        ok = text == want and g[-1] == end
        r["n"] += 1
        r["right"] += ok
        r["tokens"] = [min(r["tokens"][0], len(ids)), max(r["tokens"][1], len(ids))]
        r["odd_tokens"] += ok and tok.encode(text, add_special_tokens=False) + [end] != g
        if not ok and len(r["misses"]) < a.misses:
            r["misses"].append({"prompt": "".join(f"<|{x}|>{y}<|end|>" for x, y in m)[-700:], "want": want, "got": text[:300]})

    def total(name, keys):
        n, ok = sum(res[k]["n"] for k in keys), sum(res[k]["right"] for k in keys)
        res[name] = {"n": n, "right": ok, "tokens": [min(res[k]["tokens"][0] for k in keys),
                                                     max(res[k]["tokens"][1] for k in keys)],
                     "odd_tokens": sum(res[k]["odd_tokens"] for k in keys), "misses": []}

    total("ALL recall of one of 1 to 7 facts", [f"recall of one of {k} facts" for k in range(1, 8)])
    total("ALL personas", [f"persona {x}" for x in PERSONA])
    total("ALL few-shot", [k for k in sets if k.startswith("few-shot")])
    for k, r in res.items():
        r["percent"] = round(100 * r["right"] / r["n"], 2)
        print(f"{r['percent']:6.2f} %  {r['right']:4d} of {r['n']:4d}  {r['tokens'][0]:3d}-{r['tokens'][1]:3d} tokens"
              f"{'  odd ' + str(r['odd_tokens']) if r['odd_tokens'] else ''}  {k}")
    for k, r in res.items():
        for x in r["misses"]:
            print("---", k, "\n   ", x["prompt"].replace("\n", "\\n"), "\n    want", x["want"], "\n    got ", x["got"])
    if a.json:
        with open(a.json, "w") as f:
            keep = {k: {x: r[x] for x in ("n", "right", "percent", "tokens")} for k, r in res.items()}
            json.dump({"greedy": True, "dtype": "float32 from bfloat16 weights", "match": "exact", "sets": keep}, f,
                      indent=1)
            f.write("\n")


if __name__ == "__main__":
    main()
