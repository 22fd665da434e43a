"""Writes reference.json: prompts with their token ids and the greedy answers of the stored weights, computed by
transformers in float32 on the CPU.

    python3 reference.py      needs PyTorch and transformers
"""
import json
import os

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from dialogues import SCENARIO, SCENARIO_SYSTEM

HERE = os.path.dirname(os.path.abspath(__file__))
S, U = "system", "user"
FACTS = ("You are a helpful assistant. Answer in a short sentence. Facts: Anna likes tea. Ben lives in Oslo. "
         "The door code is 4821. The key is in the kitchen. Clara has a dog. The party is on Friday.")
TOOLS = "You are a helpful assistant. You can use these tools: weather CITY, price ITEM."
HANDBOOK = ("You are a helpful assistant. Answer in a short sentence. Be kind and clear. If you do not know, say so. "
            "Facts: " + " ".join([
                "Anna likes tea. Ben lives in Oslo. Clara has a dog. David plays chess. Emma is a baker.",
                "The door code is 4821. The safe code is 7730. The bike code is 1956.",
                "The key is in the kitchen. The book is in the office. The kite is in the garage.",
                "The party is on Friday. The concert is on Sunday. The test is on Monday.",
                "The cup costs 4 coins. The lamp costs 35 coins. The chair costs 12 coins.",
                "The cat is called Felix. The horse is called Bella. The owl is called Hugo.",
                "The car is red. The hat is green. The boat is white. The door is brown.",
                "Frank comes from Peru. Gina comes from Japan. Henry comes from Kenya.",
                "Ida drives a bus. Jack is 34 years old. Kate is 27 years old.",
                "The shop opens at 9. The school opens at 8. The library opens at 11.",
                "The table is made of wood. The ring is made of gold. Leo plays golf. Maria likes honey."]))

# each entry: a conversation; a turn of None is answered by the model and becomes part of the next prompt
CHATS = [
    *[[(S, SCENARIO_SYSTEM), (U, q), None] for q in SCENARIO],
    [(U, "What is the capital of France?"), None, (U, "What is 7 + 5?"), None],
    [(S, SCENARIO_SYSTEM), (U, "My name is Anna."), None, (U, "My favorite color is green."), None,
     (U, "What color is the sky?"), None, (U, "What is my name?"), None, (U, "What is my favorite color?"), None],
    [(S, "You are a pirate."), (U, "What color is grass?"), None],
    [(S, "You are a robot."), (U, "What color is grass?"), None],
    [(S, "You are a helpful assistant. Answer in one word."), (U, "What color is grass?"), None],
    [(S, FACTS), (U, "What is the door code?"), None],
    [(S, FACTS), (U, "Who likes tea?"), None],
    [(S, FACTS), (U, "When is the party?"), None],
    [(U, "hot -> cold\nbig -> small\nup ->"), None],
    [(U, "cat -> cats\nbox -> boxes\ndog ->"), None],
    [(S, "Examples: France -> Paris, Italy -> Rome, Spain -> Madrid."), (U, "Japan"), None],
    [(S, TOOLS), (U, "What is the weather in Paris?"), None, ("tool", "rainy"), None],
    [(S, SCENARIO_SYSTEM), (U, "Who won the chess game in 1987?"), None],
    [(S, HANDBOOK), (U, "Where is the kite?"), None, (U, "What is the safe code?"), None],
]


def main():
    tok = AutoTokenizer.from_pretrained(HERE)
    model = LlamaForCausalLM.from_pretrained(HERE, dtype=torch.float32).eval()
    out = []
    for chat in CHATS:
        messages = []
        for turn in chat:
            if turn is not None:
                messages.append({"role": turn[0], "content": turn[1]})
                continue
            text = tok.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            ids = tok.encode(text, add_special_tokens=False)
            with torch.no_grad():
                full = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                                      do_sample=False, max_new_tokens=64)[0].tolist()
                logits = model(torch.tensor([full])).logits[0]
            got = full[len(ids):]
            best = logits[len(ids) - 1:len(full) - 1].topk(2).values
            answer = tok.decode(got, skip_special_tokens=True)
            assert got[-1] == 2047 and tok.encode(answer, add_special_tokens=False) == got[:-1]
            out.append({"messages": list(messages), "ids": ids, "greedy_ids": got, "text": answer,
                        "smallest_margin": round(float((best[:, 0] - best[:, 1]).min()), 4)})
            messages.append({"role": "assistant", "content": answer})
            print(len(ids), len(got), out[-1]["smallest_margin"], repr(messages[-2]["content"][:60]), "->", repr(answer))
    with open(os.path.join(HERE, "reference.json"), "w") as f:
        f.write('{"prompts":[\n' + ",\n".join(json.dumps(x) for x in out) + "\n]}\n")


if __name__ == "__main__":
    main()
