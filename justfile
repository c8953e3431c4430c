# Short names for scripts/; `just` lists them.

_default:
    @just --list

# Build the relay and run it here; flags are the relay's.
run *flags:
    scripts/run {{flags}}

# Run the tests, or the suites that are named.
test *suites:
    scripts/test {{suites}}

# Build everything into build/.
build:
    scripts/setup test
    scripts/build build -Dtests=true

# Format what has changed or is new.
format:
    git ls-files -m -o --exclude-standard "*.cpp" "*.hpp" | xargs -r clang-format-19 -i
