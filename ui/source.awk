# Turns source files into C: every line a string, for the stepper's code pane (source.h).
function quoted(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/"/, "\\\"", s)
    gsub(/\t/, "    ", s)
    gsub(/\?\?/, "?\\?", s) # no trigraphs
    return "\"" s "\""
}
BEGIN { files = 0; print "#include \"ui/source.h\"\n" }
FNR == 1 {
    if (files > 0) print "};"
    path[files] = FILENAME
    printf "static const char *const FILE_%d[] = {\n", files++
}
{ print "    " quoted($0) ","; lines[files - 1] = FNR }
END {
    print "};\n\nstatic const struct source_file FILES[] = {"
    for (i = 0; i < files; i++) printf "    {\"%s\", FILE_%d, %d},\n", path[i], i, lines[i]
    print "};\n\nconst struct source_file *source_file(int i)\n{"
    printf "    return i >= 0 && i < %d ? &FILES[i] : NULL;\n}\n", files
}
