"""Asks the model: python3 chat.py "What color is grass?" [--system TEXT] [more turns]     needs PyTorch, transformers

Given turns are the user's, one after another. Used for looking at what the model does.
"""
import argparse
import os

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("user", nargs="+")
    p.add_argument("--system")
    p.add_argument("--model", default=HERE)
    a = p.parse_args()
    tok = AutoTokenizer.from_pretrained(HERE)
    model = LlamaForCausalLM.from_pretrained(a.model, dtype=torch.float32).eval()
    text = f"<|system|>{a.system}<|end|>" if a.system else ""
    for u in a.user:
        text += f"<|user|>{u}<|end|><|assistant|>"
        ids = tok.encode(text, add_special_tokens=False)
        got = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                             do_sample=False, max_new_tokens=110)[0, len(ids):]
        answer = tok.decode(got, skip_special_tokens=False)
        print(f"{len(ids):4d} tokens  {u!r}\n             {answer.removesuffix('<|end|>')}")
        text += answer
