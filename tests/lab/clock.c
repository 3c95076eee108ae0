/* A wall clock that is apart from everybody else's, for one process (LD_PRELOAD): as many seconds as
 * the file that CLOCK_FILE names says, eight octets that can change while the process runs.
 *
 * libfaketime does the same, but not in BIND: it waits for jemalloc, which waits for the clock. Here
 * nothing is looked up or allocated, so that it may be called before anything is ready. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *apart;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CLOCK_FILE");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (file < 0)
		return;
	void *map = mmap(NULL, sizeof *apart, PROT_READ, MAP_SHARED, file, 0);
	if (map != MAP_FAILED)
		apart = map;
	close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = syscall(SYS_clock_gettime, clock, time);
	if (result == 0 && apart && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time->tv_sec += *apart;
	return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
	int result = syscall(SYS_gettimeofday, time, zone);
	if (result == 0 && apart)
		time->tv_sec += *apart;
	return result;
}

time_t time(time_t *where)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (where)
		*where = now.tv_sec;
	return now.tv_sec;
}
