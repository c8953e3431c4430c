#include "relay/env/uring/process_info.hpp"

#include <dirent.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace ringlay::env {

std::uint64_t open_descriptors() {
    constexpr const char* path = "/proc/self/fd";
    struct stat status{};
    if (stat(path, &status) == 0 && status.st_size > 0) {
        return static_cast<std::uint64_t>(status.st_size);
    }
    DIR* directory = opendir(path);
    if (directory == nullptr) return 0;
    std::uint64_t count = 0;
    while (const dirent* entry = readdir(directory)) {
        if (entry->d_name[0] != '.') ++count;
    }
    closedir(directory);
    return count - 1;  // but for the directory's own
}

std::uint64_t mapping_limit() {
    std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "re");
    if (file == nullptr) return 0;
    unsigned long long count = 0;
    const int read = std::fscanf(file, "%llu", &count);
    std::fclose(file);
    return read == 1 ? count : 0;
}

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
