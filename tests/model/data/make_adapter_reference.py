"""Makes adapters.json and adapters.safetensors beside this file: what the adapters in data/model/adapters compute, by
the Hugging Face libraries `transformers` and `peft`, in float32, unmerged.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers peft safetensors
    /tmp/venv/bin/python tests/model/data/make_adapter_reference.py

Per case: the prompt's ids, the greedy ids that follow (the end token included), and the logits of two positions: the
prompt's last one and the answer's last one.
"""
import json
import pathlib

import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import AutoTokenizer, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent
MODEL = HERE.parents[2] / "data" / "model"
SYSTEM = ("You are a helpful assistant. Answer in a short sentence. Be kind and clear. If you do not know, say so.")
PROMPTS = [[("system", SYSTEM), ("user", "What color is grass?")],
           [("user", "What is 7 + 5?")],
           [("system", "Facts: Anna likes tea. Ben lives in Oslo. The door code is 4821."), ("user", "Who likes tea?")]]
END = 2047


@torch.no_grad()
def follow(model, ids):
    """Greedy ids and the logits (positions, vocab) of all positions before the last id."""
    full = list(ids)
    while full[-1] != END or len(full) == len(ids):
        full.append(int(model(torch.tensor([full])).logits[0, -1].argmax()))
        assert len(full) < len(ids) + 40
    return full[len(ids):], model(torch.tensor([full[:-1]])).logits[0]


def main():
    tok = AutoTokenizer.from_pretrained(MODEL)
    cases, tensors = [], {}
    for adapter in ["", "reason", "turned"]:
        model = LlamaForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
        if adapter:
            model = PeftModel.from_pretrained(model, MODEL / "adapters" / adapter, autocast_adapter_dtype=False).float()
        model.eval()
        for prompt in PROMPTS[:1] if not adapter else PROMPTS:
            text = "".join(f"<|{role}|>{said}<|end|>" for role, said in prompt) + "<|assistant|>"
            ids = tok.encode(text, add_special_tokens=False)
            greedy, logits = follow(model, ids)
            best = logits[len(ids) - 1:].topk(2).values
            n = len(cases)
            tensors[f"logits.{n}"] = logits[[len(ids) - 1, -1]].contiguous()
            cases.append({"adapter": adapter, "ids": ids, "greedy_ids": greedy, "text": tok.decode(greedy[:-1]),
                          "smallest_margin": round(float((best[:, 0] - best[:, 1]).min()), 4)})
            print(adapter, cases[-1]["smallest_margin"], cases[-1]["text"])
    save_file(tensors, HERE / "adapters.safetensors")
    (HERE / "adapters.json").write_text('{"cases":[\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")


if __name__ == "__main__":
    main()
