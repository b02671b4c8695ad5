/* service.h - what a supervisor is told (sd_notify(3) protocol, without its library). */
#ifndef CHIME_DAEMON_EDGE_SERVICE_H
#define CHIME_DAEMON_EDGE_SERVICE_H

/* "READY=1" and a status line; nothing without NOTIFY_SOCKET. */
void service_ready(const char *status);
void service_stopping(void);

#endif
