#include "tape/mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum { KEPT_MAX = 65536, SEGMENTS_KEPT = 64 };

size_t mark_encode(unsigned char payload[MARK_PAYLOAD_MAX], const char *name, uint64_t back)
{
    size_t size = strnlen(name, MARK_NAME_MAX);
    memcpy(payload, name, size);
    if (back == 0)
        return size;
    payload[size] = '\0';
    store_u64(payload + size + 1, back);
    return size + 1 + sizeof back;
}

bool mark_decode(const struct tdk_frame *frame, uint64_t epoch, struct mark_ref *mark)
{
    const unsigned char *payload = tdk_frame_payload(frame);
    size_t size = strnlen((const char *)payload, frame->size), kept = 0;
    *mark = (struct mark_ref){
        .ts = frame->ts, .epoch = epoch, .seq = frame->seq, .track = frame->track};
    for (size_t i = 0; i < size && kept < MARK_NAME_MAX; i++)
        if (payload[i] >= 0x20 && payload[i] != 0x7f)
            mark->name[kept++] = (char)payload[i];
    if (frame->size == size + 1 + sizeof mark->back)
        mark->back = load_u64(payload + size + 1);
    return kept > 0;
}

int marks_add(struct marks *marks, const struct mark_ref *ref, uint64_t segment)
{
    if (marks->count == KEPT_MAX)
        return 0;
    struct mark_item *item = calloc(1, sizeof *item);
    if (item == NULL)
        return -ENOMEM;
    item->ref = *ref;
    item->segment = segment;
    if (marks->last != NULL)
        marks->last->next = item;
    else
        marks->first = item;
    marks->last = item;
    marks->count++;
    return 0;
}

void marks_close(struct marks *marks)
{
    while (marks->first != NULL) {
        struct mark_item *next = marks->first->next;
        free(marks->first);
        marks->first = next;
    }
    *marks = (struct marks){0};
}

int marks_store(struct marks *marks, struct index *index, struct tdk_err *err)
{
    int rc = 0;
    for (struct mark_item *m = marks->first; m != NULL && rc == 0; m = m->next)
        if (!m->stored) {
            rc = index_put_mark(index, &m->ref, err);
            m->stored = rc == 0;
        }
    if (rc == 0)
        marks_forget(marks, 0);
    return rc;
}

void marks_forget(struct marks *marks, uint64_t segment)
{
    struct mark_item *item = marks->first;
    marks->first = marks->last = NULL;
    marks->count = 0;
    while (item != NULL) {
        struct mark_item *next = item->next;
        item->next = NULL;
        if (item->stored && (item->segment == 0 || item->segment + SEGMENTS_KEPT <= segment)) {
            free(item);
        } else {
            if (marks->last != NULL)
                marks->last->next = item;
            else
                marks->first = item;
            marks->last = item;
            marks->count++;
        }
        item = next;
    }
}
