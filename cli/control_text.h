/* control_text.h - control frames as JSON lines, for --control. */
#ifndef TDK_CLI_CONTROL_TEXT_H
#define TDK_CLI_CONTROL_TEXT_H

#include "base/text_buffer.h"
#include "tapedeck/tick.h"

/* {"control":"loss","track":"a","epoch":"1","seq":"7","ts":"...","first_seq":"5","count":"2",...}.
 * If a payload is too short for its kind, the kind's own keys are left out. */
void control_text_json(struct text_buffer *text, const char *track, uint64_t epoch,
                       const struct tdk_frame *frame);

/* Why ticks were lost, in one or two words: enum tdk_loss_reason. */
const char *control_text_reason(uint32_t reason);

#endif
