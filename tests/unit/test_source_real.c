/* Real files, compared with what independent decoders counted. A test is skipped where its files
 * are not at hand. */
#include "tests/support/files.h"

#include <json-c/json.h>

#include "formats/dbn.h"
#include "formats/input.h"
#include "formats/source.h"

static const struct source_options defaults = {.payload_max = TDK_PAYLOAD_DEFAULT_MAX};

struct facts {
    uint64_t records, by_rtype[256];
    uint64_t first_event, last_event, first_recv, last_recv;
    FILE *body; /* a pipe to "sha256sum", which gives the sum of all records */
};

static void count_record(struct facts *facts, const struct source_item *item)
{
    struct tdk_dbn_head head;
    memcpy(&head, item->payload, sizeof head);
    assert_true(tdk_dbn_check(item->type, item->payload, item->size));
    if (facts->records++ == 0)
        facts->first_event = head.ts_event;
    facts->last_event = head.ts_event;
    facts->by_rtype[head.rtype]++;
    if (dbn_recv_offset[head.rtype] != 0) {
        if (facts->first_recv == 0)
            facts->first_recv = item->ts;
        facts->last_recv = item->ts;
    } else {
        assert_int_equal(item->ts, head.ts_event);
    }
    assert_int_equal(fwrite(item->payload, 1, item->size, facts->body), item->size);
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, key, &value);
    return value;
}

static uint64_t number(struct json_object *object, const char *key)
{
    return json_object_get_uint64(member(object, key));
}

/* The vendor's own names of two record types. */
static uint8_t rtype_of(const char *name)
{
    uint8_t rtype = 0xff;
    if (strcmp(name, "mbp-0") == 0)
        name = "trades";
    if (strcmp(name, "instrument-def") == 0)
        name = "definition";
    assert_true(dbn_rtype_parse(name, &rtype));
    return rtype;
}

static void check_facts(const struct facts *facts, struct json_object *wanted)
{
    assert_int_equal(facts->records, number(wanted, "records"));
    uint64_t sum = 0;
    struct json_object *by_rtype = member(wanted, "by_rtype");
    struct json_object_iterator at = json_object_iter_begin(by_rtype),
                                end = json_object_iter_end(by_rtype);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        uint8_t rtype = rtype_of(json_object_iter_peek_name(&at));
        assert_int_equal(facts->by_rtype[rtype],
                         json_object_get_uint64(json_object_iter_peek_value(&at)));
        sum += facts->by_rtype[rtype];
    }
    assert_int_equal(sum, facts->records);
    struct json_object *event = member(wanted, "ts_event"), *recv = member(wanted, "ts_recv");
    if (event != NULL && facts->records > 0) {
        assert_int_equal(facts->first_event, number(event, "first"));
        assert_int_equal(facts->last_event, number(event, "last"));
    }
    if (recv != NULL && facts->first_recv != 0) {
        assert_int_equal(facts->first_recv, number(recv, "first"));
        assert_int_equal(facts->last_recv, number(recv, "last"));
    }
}

/* The length of a list. A list that was too long is there as a text: "11294 mappings, ...". */
static uint64_t count_of(struct json_object *object, const char *key)
{
    struct json_object *list = member(object, key);
    if (json_object_is_type(list, json_type_string))
        return strtoull(json_object_get_string(list), NULL, 10);
    return json_object_array_length(list);
}

static void check_metadata(const struct source_item *item, struct json_object *wanted)
{
    struct tdk_info info;
    struct dbn_metadata m;
    memcpy(&info, item->payload, sizeof info);
    const char *value = (const char *)item->payload + sizeof info + info.key_size;
    assert_memory_equal((const char *)item->payload + sizeof info, "dbn.metadata", info.key_size);
    assert_int_equal(dbn_metadata_decode(&m, value, info.total, NULL), 0);
    assert_int_equal(m.version, number(wanted, "version"));
    assert_string_equal(m.dataset, json_object_get_string(member(wanted, "dataset")));
    assert_int_equal(m.start, number(wanted, "start"));
    assert_int_equal(m.symbol_size, number(wanted, "symbol_cstr_len"));
    assert_int_equal(m.symbols.count, count_of(wanted, "symbols"));
    assert_int_equal(m.partial.count, count_of(wanted, "partial"));
    assert_int_equal(m.not_found.count, count_of(wanted, "not_found"));
    assert_int_equal(m.mapping_count, count_of(wanted, "mappings"));
    /* What was decoded encodes to the same bytes. */
    void *bytes;
    size_t size;
    assert_int_equal(dbn_metadata_encode(&m, &bytes, &size, NULL), 0);
    assert_int_equal(size, info.total);
    assert_memory_equal(bytes, value, size);
    free(bytes);
    dbn_metadata_close(&m);
}

static void check_dbn_file(const char *path, struct json_object *wanted)
{
    struct facts facts = {0};
    struct source *source;
    struct source_options options = {.payload_max = 1 << 24}; /* metadata in one part */
    struct source_item item;
    struct tdk_err err = {0};
    char sum_path[PATH_SIZE], command[2 * PATH_SIZE], sum[65] = "";
    scratch_file(sum_path, "", 0);
    snprintf(command, sizeof command, "sha256sum > %s", sum_path);
    facts.body = popen(command, "w");
    assert_non_null(facts.body);
    assert_int_equal(source_open(&source, path, &options, &err), 0);
    int rc;
    while ((rc = source_next(source, &item, &err)) == 1)
        if (item.type == TDK_TYPE_INFO)
            check_metadata(&item, member(wanted, "metadata"));
        else
            count_record(&facts, &item);
    assert_int_equal(rc, 0);
    source_close(source);
    assert_int_equal(pclose(facts.body), 0);
    check_facts(&facts, wanted);
    FILE *told = fopen(sum_path, "r");
    assert_non_null(told);
    assert_int_equal(fread(sum, 1, 64, told), 64);
    fclose(told);
    unlink(sum_path);
    assert_string_equal(sum, json_object_get_string(member(wanted, "body_sha256")));
}

static void every_dbn_file_has_the_records_it_should(void **state)
{
    (void)state;
    char root[PATH_SIZE], path[2 * PATH_SIZE];
    shared_path(root, "expected.json");
    struct json_object *expected = json_object_from_file(root);
    assert_non_null(expected);
    *strrchr(root, '/') = '\0';
    unsigned files = 0;
    struct json_object *all = member(expected, "files");
    struct json_object_iterator at = json_object_iter_begin(all), end = json_object_iter_end(all);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *name = json_object_iter_peek_name(&at);
        if (strncmp(name, "dbn/", 4) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", root, name);
        check_dbn_file(path, json_object_iter_peek_value(&at));
        files++;
    }
    assert_true(files > 80);
    json_object_put(expected);
}

static void the_format_before_dbn_is_refused_by_name(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    shared_path(path, "dbn/databento-dbn/test_data.mbo.dbz");
    struct source *source;
    struct tdk_err err;
    assert_int_equal(source_open(&source, path, &defaults, &err), TDK_EFORMAT);
    assert_non_null(strstr(err.text, "DBZ, the format before DBN"));
}

static void captured_lines_come_with_their_payloads(void **state)
{
    (void)state;
    char path[PATH_SIZE];
    shared_path(path, "binance/cm/btcusd_perp_20240808.gz");
    struct source *source;
    struct source_item item;
    assert_int_equal(source_open(&source, path, &defaults, NULL), 0);
    uint64_t count = 0, bytes = 0, first = 0, last = 0, done, total;
    assert_int_equal(source_next(source, &item, NULL), 1);
    assert_int_equal(item.type, TDK_TYPE_INFO);
    assert_memory_equal((const char *)item.payload + sizeof(struct tdk_info),
                        "type.3line\tapplication/octet-stream", 35);
    while (source_next(source, &item, NULL) == 1) {
        assert_int_equal(item.type, TDK_TYPE_OPAQUE);
        if (count++ == 0)
            first = item.ts;
        last = item.ts;
        bytes += item.size;
    }
    assert_int_equal(count, 48270);
    assert_int_equal(bytes, 14390016);
    assert_int_equal(first, 1723161256172216566);
    assert_int_equal(last, 1723161599994891784);
    source_progress(source, &done, &total);
    assert_int_equal(done, 2143383);
    assert_int_equal(total, 2143383);
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dbn_file_has_the_records_it_should),
        cmocka_unit_test(the_format_before_dbn_is_refused_by_name),
        cmocka_unit_test(captured_lines_come_with_their_payloads),
    };
    return cmocka_run_group_tests_name("formats.source_real", tests, NULL, NULL);
}
