# Reads the sources below cache, runner and jobs (paths relative to the root, as arguments) and reports each line that
# reaches where it may not: climbing includes, headers of a layer that is not below, and calls that one file owns.
# Comments and the content of strings do not count as code.

function layer_of(path) {
    if (path ~ /^cache\/base\//) return "base"
    if (path ~ /^cache\/value\//) return "value"
    if (path ~ /^cache\//) return "cache"
    if (path ~ /^runner\//) return "runner"
    if (path ~ /^jobs\/calls\//) return "calls"
    if (path ~ /^jobs\/cli\//) return "cli"
    return "jobs"
}

function fault(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    faults++
}

# The line without comments, with "" for each string; `in_comment` lasts from line to line.
function code_of(line,    code, at, what) {
    code = ""
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            if (!at) return code
            line = substr(line, at + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /\/\*|\/\/|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) return code line
        what = substr(line, RSTART, 2)
        code = code substr(line, 1, RSTART - 1)
        if (what == "//") return code
        if (what == "/*") in_comment = 1
        else code = code "\"\""
        line = substr(line, RSTART + (what == "/*" ? 2 : RLENGTH))
    }
    return code
}

function check_include(line,    name, system_header, folder) {
    name = line
    sub(/^[ \t]*#[ \t]*include[ \t]*[<"]/, "", name)
    sub(/[>"].*$/, "", name)
    system_header = line ~ /include[ \t]*</
    if (name ~ /\.\./)
        fault("include climbs: " name)
    else if (name in owner) {
        if (index(allowed[layer], " " owner[name] " ") == 0)
            fault("layer " layer " may not include " name " of layer " owner[name])
    } else if (name ~ /^deja\//)
        fault("no layer has the header " name)
    else if (!system_header) {
        folder = FILENAME
        sub(/[^\/]*$/, "", folder)
        if (!((folder name) in is_source) && !(layer == "cli" && ("jobs/" name) in is_source))
            fault("private header of another folder: " name)
    }
    for (i = 1; i <= third_parties; i++)
        if (name == third_party[i] && FILENAME !~ third_party_home[i])
            fault(name " belongs to " third_party_home[i])
}

function own_header(name, home) {
    third_party[++third_parties] = name
    third_party_home[third_parties] = home
}

function own_call(regex, home, why) {
    call[++calls] = "(^|[^A-Za-z0-9_.>])(" regex ")[ \t]*\\("
    call_home[calls] = home
    call_why[calls] = why
}

BEGIN {
    allowed["base"] = " base "
    allowed["value"] = " base value "
    allowed["cache"] = " base value cache "
    allowed["runner"] = " base value runner "
    allowed["calls"] = " base value cache runner calls "
    allowed["jobs"] = allowed["cli"] = " calls base value cache runner jobs "

    sql_home = "^cache/db(_[a-z]+)?\\.[ch]$"
    own_header("sqlite3.h", sql_home)
    own_header("yaml.h", "^jobs/yaml\\.c$")
    own_header("xxhash.h", "^cache/base/hash")
    own_header("zstd.h", "^cache/value/compress\\.c$")

    own_call("sqlite3_[a-z0-9_]+", sql_home, "SQL has one home")
    own_call("yaml_[a-z]+_(initialize|parse|delete|set_input[a-z_]*|load)", "^jobs/yaml\\.c$", "libyaml has one home")
    own_call("fork|vfork|_Fork|clone|clone3|execve?|execv[pe]*|execl[pe]?|execveat|fexecve|posix_spawnp?|popen", \
        "^runner/(spawn|zygote)\\.c$", "processes are made in two places: jobs and workers")
    own_call("dlopen|dlmopen", "^runner/(function_place|library_load)\\.c$", "libraries are loaded by workers only")
    own_call("malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf|aligned_alloc|posix_memalign", \
        "^cache/base/alloc\\.c$", "use deja/memory.h")
    own_call("strcpy|strcat|sprintf|vsprintf|strtok|strtok_r|atoi|atol|atof|system|signal|gets", "^$", "banned")

    for (i = 1; i < ARGC; i++) {
        is_source[ARGV[i]] = 1
        if (ARGV[i] ~ /\/include\//) {
            name = ARGV[i]
            sub(/.*\/include\//, "", name)
            owner[name] = layer_of(ARGV[i])
        }
        base_name = ARGV[i]
        if (!sub(/.*\/include\//, "", base_name)) # <deja/job.h> is not "job.h"
            sub(/.*\//, "", base_name)
        if (base_name in named) {
            printf "%s: a second file of this name, after %s\n", ARGV[i], named[base_name]
            faults++
        }
        named[base_name] = ARGV[i]
    }
}

FNR == 1 {
    layer = layer_of(FILENAME)
    in_comment = 0
}

!in_comment && /^[ \t]*#[ \t]*include/ { check_include($0) }

!in_comment && FILENAME !~ sql_home && /"[ \t]*(SELECT|INSERT (OR|INTO)|UPDATE [a-z]+ SET|DELETE FROM|CREATE TABLE|PRAGMA) / {
    fault("SQL has one home: cache/db*.c")
}

{
    code = code_of($0)
    for (i = 1; i <= calls; i++)
        if (match(code, call[i]) && FILENAME !~ call_home[i]) {
            found = substr(code, RSTART, RLENGTH)
            gsub(/[^A-Za-z0-9_]/, "", found)
            fault(found "() may not be called here: " call_why[i])
        }
}

END { exit faults > 0 }
