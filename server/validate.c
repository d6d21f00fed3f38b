#include "server/validate.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "ingest/stream.h"
#include "net/url.h"

#define NAME_MAX_BYTES 384
#define URL_MAX_BYTES  1000

struct alias {
    const char *text, *word;
};

static const struct alias areas[] = {
    {"", "other"},
    {"entrance", "entrance"},
    {"activity", "activity"},
    {"dining", "dining"},
    {"sleeping", "sleeping"},
    {"outdoor", "outdoor"},
    {"corridor", "corridor"},
    {"kitchen", "kitchen"},
    {"office", "office"},
    {"other", "other"},
    {"toilet", "toilet"},
    {"changing", "changing"},
    {"nursing", "nursing"},
    {"staff_rest", "staff_rest"},
    {"出入口", "entrance"},
    {"门口", "entrance"},
    {"大门", "entrance"},
    {"门厅", "entrance"},
    {"活动室", "activity"},
    {"活动区", "activity"},
    {"教室", "activity"},
    {"餐厅", "dining"},
    {"就餐区", "dining"},
    {"寝室", "sleeping"},
    {"睡眠室", "sleeping"},
    {"睡眠区", "sleeping"},
    {"午睡室", "sleeping"},
    {"户外", "outdoor"},
    {"室外", "outdoor"},
    {"操场", "outdoor"},
    {"走廊", "corridor"},
    {"楼道", "corridor"},
    {"厨房", "kitchen"},
    {"办公室", "office"},
    {"其他", "other"},
    {"其它", "other"},
    {"厕所", "toilet"},
    {"卫生间", "toilet"},
    {"洗手间", "toilet"},
    {"盥洗室", "toilet"},
    {"浴室", "toilet"},
    {"更衣室", "changing"},
    {"换衣间", "changing"},
    {"哺乳室", "nursing"},
    {"母婴室", "nursing"},
    {"员工休息室", "staff_rest"},
    {"教师休息室", "staff_rest"},
    {"教职工休息室", "staff_rest"},
    {"值班宿舍", "staff_rest"},
};

static const struct alias records[] = {
    {"", "main"},   {"main", "main"},   {"sub", "sub"},     {"both", "both"},
    {"off", "off"}, {"主码流", "main"}, {"主", "main"},     {"子码流", "sub"},
    {"子", "sub"},  {"辅码流", "sub"},  {"双码流", "both"}, {"全部", "both"},
    {"关", "off"},  {"不录像", "off"},  {"否", "off"},      {"是", "main"},
};

static const char *find_alias(const struct alias *list, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (span_ieq(span_of(text), list[i].text))
            return list[i].word;
    }
    return NULL;
}

const char *area_type_of(const char *text)
{
    return find_alias(areas, ARRAY_LEN(areas), text);
}

const char *record_of(const char *text)
{
    return find_alias(records, ARRAY_LEN(records), text);
}

static bool area_type_is_forbidden(const char *area_type)
{
    static const char *const forbidden[] = {"toilet", "changing", "nursing", "staff_rest"};
    for (size_t i = 0; i < ARRAY_LEN(forbidden); i++) {
        if (strcmp(area_type, forbidden[i]) == 0)
            return true;
    }
    return false;
}

bool text_is_fit(const char *text, size_t min, size_t max)
{
    size_t n = strlen(text);
    if (n < min || n > max || !str_is_utf8(text, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    }
    return true;
}

int validate_id(const char *field, const char *id, struct err *err)
{
    if (str_is_id(id))
        return 0;
    if (id[0] == '\0')
        return err_say(err, ERR_INVALID, "field_empty", "%s: it must not be empty", field);
    return err_say(err, ERR_INVALID, "field_id",
                   "%s: \"%.64s\" is no id: 1 to 64 of the characters A-Z a-z 0-9 _ -", field, id);
}

static int check_text(const char *field, const char *text, size_t min, size_t max, struct err *err)
{
    if (text_is_fit(text, min, max))
        return 0;
    if (text[0] == '\0')
        return err_say(err, ERR_INVALID, "field_empty", "%s: it must not be empty", field);
    return err_say(err, ERR_INVALID, "field_long", "%s: at most %zu bytes of text on one line",
                   field, max);
}

int validate_township(const struct township_row *r, struct err *err)
{
    int rc = validate_id("id", r->id, err);
    return rc < 0 ? rc : check_text("name", r->name, 1, NAME_MAX_BYTES, err);
}

int validate_institution(const struct institution_row *r, struct err *err)
{
    const struct {
        const char *field, *text;
        size_t min, max;
    } texts[] = {
        {"name", r->name, 1, NAME_MAX_BYTES}, {"type", r->type, 0, 192},
        {"address", r->address, 0, 768},      {"contact", r->contact, 0, NAME_MAX_BYTES},
        {"phone", r->phone, 0, 64},           {"external_id", r->external_id, 0, 128},
    };
    int rc = validate_id("id", r->id, err);
    if (rc == 0)
        rc = validate_id("township_id", r->township_id, err);
    for (size_t i = 0; i < ARRAY_LEN(texts) && rc == 0; i++)
        rc = check_text(texts[i].field, texts[i].text, texts[i].min, texts[i].max, err);
    return rc;
}

static int check_url(const char *field, const char *url, bool may_be_empty, struct err *err)
{
    struct url parsed;
    struct err why;
    if (url[0] == '\0' && may_be_empty)
        return 0;
    if (url[0] == '\0')
        return err_say(err, ERR_INVALID, "field_empty", "%s: it must not be empty", field);
    if (stream_is_push_url(url))
        return 0;
    if (strlen(url) > URL_MAX_BYTES)
        return err_say(err, ERR_INVALID, "field_long", "%s: at most %d bytes", field,
                       URL_MAX_BYTES);
    err_clear(&why);
    if (!text_is_fit(url, 1, URL_MAX_BYTES) || url_parse_any(url, &parsed, &why) < 0 ||
        (parsed.host[0] == '\0' && parsed.foreign[0] == '\0'))
        return err_say(
            err, ERR_INVALID, "field_url",
            "%s: it is no address of a stream; write rtsp://HOST[:PORT]/PATH (rtsps:// with TLS, "
            "rtsph:// or rtspsh:// for RTSP over HTTP or HTTPS), or push: when the encoder "
            "connects to us; or rtmp://, rtmps://, http://, https:// (FLV, TS, m3u8, MP4), "
            "udp://[GROUP]:PORT or srt://HOST:PORT",
            field);
    return 0;
}

static int check_one_of(const char *field, const char *text, const char *const *words,
                        const char *hint, struct err *err)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, text) == 0)
            return 0;
    }
    return err_say(err, ERR_INVALID, "field_choice", "%s: \"%.40s\" is unknown: use %s", field,
                   text, hint);
}

static int check_words(const struct camera_row *r, struct err *err)
{
    static const char *const transports[] = {"auto", "tcp", "udp", NULL};
    static const char *const recordings[] = {"main", "sub", "both", "off", NULL};
    int rc = check_one_of("transport", r->transport, transports, "auto, tcp or udp", err);
    if (rc == 0)
        rc = check_one_of("record", r->record, recordings, "main, sub, both or off", err);
    if (rc < 0)
        return rc;
    const char *area = area_type_of(r->area_type);
    if (area == NULL || strcmp(area, r->area_type) != 0)
        return err_say(err, ERR_INVALID, "area_unknown",
                       "area_type: \"%.40s\" is unknown: use entrance, activity, dining, sleeping, "
                       "outdoor, corridor, kitchen, office or other",
                       r->area_type);
    if (area_type_is_forbidden(area))
        return err_say(err, ERR_INVALID, "area_forbidden", "area_type: " AREA_FORBIDDEN_TEXT);
    return 0;
}

int validate_camera(const struct camera_row *r, struct err *err)
{
    int rc;
    if ((rc = validate_id("id", r->id, err)) < 0 ||
        (rc = validate_id("institution_id", r->institution_id, err)) < 0 ||
        (rc = check_text("name", r->name, 1, NAME_MAX_BYTES, err)) < 0 ||
        (rc = check_text("area", r->area, 0, NAME_MAX_BYTES, err)) < 0 ||
        (rc = check_url("main_url", r->main_url, false, err)) < 0 ||
        (rc = check_url("sub_url", r->sub_url, true, err)) < 0 ||
        (rc = check_text("username", r->username, 0, 120, err)) < 0 ||
        (rc = check_words(r, err)) < 0)
        return rc;
    bool wants_sub = strcmp(r->record, "sub") == 0 || strcmp(r->record, "both") == 0;
    if (wants_sub && r->sub_url[0] == '\0')
        return err_say(err, ERR_INVALID, "sub_needed", "record: \"%s\" needs a sub_url", r->record);
    if (r->retention_days < 0 || r->retention_days > 3650)
        return err_say(err, ERR_INVALID, "retention_range",
                       "retention_days: 1 to 3650, or null for the default");
    return 0;
}

int validate_push(const struct camera_row *r, struct err *err)
{
    bool is_pushed = stream_is_push_url(r->main_url) || stream_is_push_url(r->sub_url);
    if (!is_pushed || r->password != NULL)
        return 0;
    return err_say(err, ERR_INVALID, "push_key",
                   "password: push: needs a key, which the encoder shows when it connects; enter "
                   "it as the password");
}
