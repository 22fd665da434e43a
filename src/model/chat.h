/* chat.h: a conversation as token ids, in the form the model was trained on.
 *
 * The template a checkpoint brings is a Jinja program; radixscope recognises the common ones by what they
 * hold and writes their form itself:
 *
 *   box      <|system|>text<|end|><|user|>text<|end|><|assistant|>
 *   chatml   <|im_start|>user\ntext<|im_end|>\n<|im_start|>assistant\n
 *   llama3   <|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\ntext<|eot_id|>…
 *   llama2   <s>[INST] <<SYS>>\nsystem\n<</SYS>>\n\ntext [/INST]
 *   mistral  <s>[INST] text [/INST]
 *   plain    the texts of all messages, one per line (no template, or an unknown one)
 *
 * Special tokens are added as ids; what a user wrote is always encoded as plain text, so that no message
 * can end its own turn or open another.
 */
#ifndef RADIXSCOPE_MODEL_CHAT_H
#define RADIXSCOPE_MODEL_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "model/ids.h"
#include "model/model.h"

enum chat_kind { CHAT_PLAIN, CHAT_UNKNOWN, CHAT_BOX, CHAT_CHATML, CHAT_LLAMA2, CHAT_LLAMA3, CHAT_MISTRAL };

struct chat_message {
    const char *role; /* "system", "user" or "assistant" */
    const char *text;
    size_t len;
};

/* What the checkpoint's template is. CHAT_PLAIN: it brings none; CHAT_UNKNOWN: it brings one that is not
 * recognised, and plain text is used (say so to the user). */
enum chat_kind chat_get_kind(const struct model *m);
const char *chat_kind_name(enum chat_kind kind);

/* Append the ids of a conversation to *out; with `prompt`, also what opens the assistant's answer.
 * Fails for an unknown role, for a system message that the template cannot take, and without memory. */
int chat_render(const struct model *m, const struct chat_message *messages, size_t n, bool prompt,
                struct ids *out, struct err *e);

/* Tokens that end an answer: those of the config and the template's own end of turn. */
bool chat_is_end(const struct model *m, uint32_t id);

#endif
