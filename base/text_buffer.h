/*
 * text_buffer.h - text that grows at its end.
 *
 * Code that writes text need not check each step. When memory runs out the buffer remembers that,
 * takes nothing more until it is cleared, and reports it in text_error(). Ask text_error() before
 * clearing it. One owner; the buffer owns the bytes until text_close().
 */
#ifndef TDK_BASE_TEXT_BUFFER_H
#define TDK_BASE_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text_buffer {
    char *bytes; /* owned; `size` bytes, no NUL at the end */
    size_t size, room;
    bool failed; /* out of memory: the text is not all here */
};

void text_init(struct text_buffer *text);
void text_close(struct text_buffer *text);

/* Make it empty and good again; it keeps its memory. */
static inline void text_clear(struct text_buffer *text)
{
    text->size = 0;
    text->failed = false;
}

/* 0, or -ENOMEM if something could not be added since text_init() or text_clear(). */
int text_error(const struct text_buffer *text);

bool text_grow(struct text_buffer *text, size_t size);

/* Room for `size` bytes at the end. Write them in place, then call text_wrote(). NULL: no
 * memory. */
static inline char *text_reserve(struct text_buffer *text, size_t size)
{
    bool has_room = text->bytes != NULL && text->room - text->size >= size;
    return has_room || text_grow(text, size) ? text->bytes + text->size : NULL;
}

static inline void text_wrote(struct text_buffer *text, const char *end)
{
    text->size = (size_t)(end - text->bytes);
}

static inline void text_add(struct text_buffer *text, const void *bytes, size_t size)
{
    char *at = text_reserve(text, size);
    if (at == NULL || size == 0)
        return;
    memcpy(at, bytes, size);
    text->size += size;
}

static inline void text_add_string(struct text_buffer *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Add all of another. If part of that is missing, it is missing here, too. */
void text_add_buffer(struct text_buffer *text, const struct text_buffer *other);

static inline void text_add_char(struct text_buffer *text, char c)
{
    text_add(text, &c, 1);
}

void text_add_u64(struct text_buffer *text, uint64_t value);
void text_add_i64(struct text_buffer *text, int64_t value);
void text_add_short(struct text_buffer *text, int64_t value); /* 1e-9, shortest exact */
void text_add_short_u64(struct text_buffer *text, uint64_t value);
void text_add_time(struct text_buffer *text, uint64_t ns); /* RFC 3339, nine digits */
void text_add_format(struct text_buffer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same as the two below, into memory that is there: at most size * 6 + 2 and size * 2 + 2
 * bytes. They return the end of what they wrote. */
char *text_put_json(char *at, const char *bytes, size_t size);
char *text_put_csv(char *at, const char *bytes, size_t size);

/* Add a JSON string with its quotes. A byte that is not UTF-8 becomes U+FFFD, so the result is
 * always JSON. */
void text_add_json(struct text_buffer *text, const char *bytes, size_t size);

/* Add a CSV field. It is quoted only if necessary; quotes inside are doubled. */
void text_add_csv(struct text_buffer *text, const char *bytes, size_t size);

/* Add the value of a label of Prometheus, with its quotes. It is always UTF-8, too. */
void text_add_label(struct text_buffer *text, const char *value);

/* RFC 4648, padded. */
void text_add_base64(struct text_buffer *text, const void *bytes, size_t size);

#endif
