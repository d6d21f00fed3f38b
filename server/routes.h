/* The handlers behind the route table, one file each. Threads as in api.h. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "server/api.h"

/* api_session.c */
void session_open(struct api_call *call);
void session_close(struct api_call *call);
int me_get(struct api_call *call, struct err *err);
int tokens_list(struct api_call *call, struct err *err);
int token_add(struct api_call *call, struct err *err);
int token_delete(struct api_call *call, struct err *err);

/* api_users.c */
int users_list(struct api_call *call, struct err *err);
int user_add(struct api_call *call, struct err *err);
int user_get(struct api_call *call, struct err *err);
int user_change(struct api_call *call, struct err *err);
int user_delete(struct api_call *call, struct err *err);

/* api_district.c */
int townships_list(struct api_call *call, struct err *err);
int township_add(struct api_call *call, struct err *err);
int township_get(struct api_call *call, struct err *err);
int township_put(struct api_call *call, struct err *err); /* also PATCH */
int township_delete(struct api_call *call, struct err *err);
int institutions_list(struct api_call *call, struct err *err);
int institution_add(struct api_call *call, struct err *err);
int institution_get(struct api_call *call, struct err *err);
int institution_put(struct api_call *call, struct err *err);
int institution_delete(struct api_call *call, struct err *err);

/* api_cameras.c */
int cameras_list(struct api_call *call, struct err *err);
int camera_add(struct api_call *call, struct err *err);
int camera_get(struct api_call *call, struct err *err);
int camera_put(struct api_call *call, struct err *err);
int camera_delete(struct api_call *call, struct err *err);

/* api_import.c */
int import_post(struct api_call *call, struct err *err);

/* api_walls.c */
int walls_list(struct api_call *call, struct err *err);
int wall_add(struct api_call *call, struct err *err);
int wall_get(struct api_call *call, struct err *err);
int wall_put(struct api_call *call, struct err *err);
int wall_delete(struct api_call *call, struct err *err);

/* api_states.c */
int states_list(struct api_call *call, struct err *err);
void state_take(struct api_call *call);
int state_history(struct api_call *call, struct err *err);
json_t *camera_state_json(const struct camera_state *st, int64_t now_us);
json_t *camera_state_short_json(const struct camera_state *st);

/* api_live.c */
void live_get(struct api_call *call);
void wall_open(struct api_call *call);
void events_stream(struct api_call *call);

/* api_snapshot.c */
void snapshot_get(struct api_call *call);

/* api_recordings.c */
int recordings_get(struct api_call *call, struct err *err);
int timeline_get(struct api_call *call, struct err *err);
int days_get(struct api_call *call, struct err *err);
void clip_get(struct api_call *call);

/* api_events.c */
int events_list(struct api_call *call, struct err *err);
json_t *event_json(const struct event *ev, int64_t id, const struct district *d);

/* api_reports.c */
int reports_list(struct api_call *call, struct err *err);
int uptime_get(struct api_call *call, struct err *err);

/* api_holds.c */
int holds_list(struct api_call *call, struct err *err);
int hold_add(struct api_call *call, struct err *err);
int hold_release(struct api_call *call, struct err *err);

/* api_storage.c */
int storage_get(struct api_call *call, struct err *err);
int storage_cameras_list(struct api_call *call, struct err *err);
int storage_deletions_list(struct api_call *call, struct err *err);

/* api_system.c */
void system_get(struct api_call *call);
void openapi_get(struct api_call *call);

#endif
