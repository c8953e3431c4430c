#include "relay/env/uring/process_info.hpp"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>

namespace ringlay::env {

std::uint64_t process_rss_bytes() {
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr) return 0;
    unsigned long long all_pages = 0, resident_pages = 0;
    int read = std::fscanf(file, "%llu %llu", &all_pages, &resident_pages);
    std::fclose(file);
    return read == 2 ? resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

MallocBytes malloc_bytes() {
    const struct mallinfo2 info = mallinfo2();
    return {
        .arena = info.arena, .in_use = info.uordblks, .free = info.fordblks, .mapped = info.hblkhd};
}

}  // namespace ringlay::env
