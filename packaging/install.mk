# Installing and packing. Included by the Makefile.
#   make install [PREFIX=/usr/local] [LIBDIR=...] [DESTDIR=...]     program, static and shared library, headers, golgi.pc, man pages, completion
#   make uninstall                                                  takes back what the same variables installed
#   make man                                                        build/man/*.1
#   make dist                                                       build/golgi-VERSION.tar.gz of the last commit
# An Arrow that tools/setup fetched is installed beside the library (LIBDIR/golgi) and found there wherever PREFIX is moved to.
DESTDIR    ?=
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
MANDIR     ?= $(DATADIR)/man
DOCDIR     ?= $(DATADIR)/doc/golgi
INSTALL    ?= install
COMPLETION_DIRS = $(DATADIR)/bash-completion/completions $(DATADIR)/zsh/site-functions $(DATADIR)/fish/vendor_completions.d

VERSION  := $(shell sed -n 's/^.define GG_VERSION_TEXT "\(.*\)"/\1/p' include/golgi/base.h)
SONAME   := libgolgi.so.$(basename $(VERSION))
SHARED   := $B/libgolgi.so.$(VERSION)
OWN_ARROW := $(if $(findstring .deps/,$(ARROW_LIBS)),yes)
comma    := ,

# What is linked, without folders of this tree.
OUT_LIBS := $(filter-out -Wl$(comma)-rpath% -L.deps/%,$(LDLIBS))
OUT_LINK := $(if $(OWN_ARROW),-L.deps/arrow/lib) $(OUT_LIBS)
PC_LIBS  := $(if $(OWN_ARROW),-L$${libdir}/golgi -Wl$(comma)-rpath$(comma)$${libdir}/golgi) $(filter-out -Wl$(comma)--as-needed,$(OUT_LIBS))

# headers of systems are installed beside the others: systems/nag/nag.h as golgi/nag.h
HEADERS := $(wildcard include/golgi/*.h) $(foreach s,$(notdir $(wildcard systems/*)),$(wildcard systems/$s/$s.h))

# What people read, in the folders that its links name.
DOCS := README.md LICENSE $(wildcard docs/*.md docs/*.png systems/*/README.md) bench/SPEED.md examples/strongest.c

.PHONY: install uninstall man dist shared
shared: $(SHARED)
$(SHARED): $(LIB_OBJ) packaging/golgi.map
	@echo "  link  $@"
	$Q$(CC) $(OPT) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=packaging/golgi.map -Wl,-Bsymbolic-functions -Wl,-z,defs \
	  $(if $(OWN_ARROW),-Wl$(comma)-rpath$(comma)'$$ORIGIN/golgi') -o $@ $(LIB_OBJ) $(LDFLAGS) $(OUT_LINK)

# The program as it is installed: it must not look for libraries in the folder it was built in.
$B/install/golgi: $(CLI_OBJ) $B/libgolgi.a
	@mkdir -p $(@D)
	@echo "  link  $@"
	$Q$(CC) $(OPT) $(if $(OWN_ARROW),-Wl$(comma)-rpath$(comma)'$$ORIGIN/$(shell realpath -m --relative-to=$(BINDIR) $(LIBDIR)/golgi)') -o $@ $^ \
	  $(LDFLAGS) $(OUT_LINK)

man: $B/golgi
	@tools/man $B/golgi $B/man > /dev/null
	@echo "  man   $B/man"

install: $B/install/golgi $B/libgolgi.a $(SHARED) man
	$Q$(INSTALL) -d $(foreach d,$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR)/golgi $(MANDIR)/man1 $(DOCDIR) $(COMPLETION_DIRS),"$(DESTDIR)$d")
	$Q$(INSTALL) -m 755 $B/install/golgi "$(DESTDIR)$(BINDIR)/golgi"
	$Q$(INSTALL) -m 644 $B/libgolgi.a "$(DESTDIR)$(LIBDIR)/"
	$Q$(INSTALL) -m 644 $(SHARED) "$(DESTDIR)$(LIBDIR)/"
	$Qln -sf $(notdir $(SHARED)) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	$Qln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libgolgi.so"
ifeq ($(OWN_ARROW),yes)
	$Q$(INSTALL) -d "$(DESTDIR)$(LIBDIR)/golgi"
	$Qcp -a .deps/arrow/lib/libarrow.so* .deps/arrow/lib/libparquet.so* $(wildcard .deps/arrow/LICENSE*) "$(DESTDIR)$(LIBDIR)/golgi/"
endif
	$Q$(INSTALL) -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)/golgi/"
	$Qsed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=$${prefix}/%)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)|' \
	  -e 's|@VERSION@|$(VERSION)|' -e 's|@LIBS@|$(PC_LIBS)|' packaging/golgi.pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/golgi.pc"
	$Q$(INSTALL) -m 644 $B/man/*.1 "$(DESTDIR)$(MANDIR)/man1/"
	$Q$(INSTALL) -m 644 packaging/golgi.bash "$(DESTDIR)$(DATADIR)/bash-completion/completions/golgi"
	$Q$(INSTALL) -m 644 packaging/_golgi "$(DESTDIR)$(DATADIR)/zsh/site-functions/_golgi"
	$Q$(INSTALL) -m 644 packaging/golgi.fish "$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/golgi.fish"
	$Qfor f in $(DOCS); do $(INSTALL) -D -m 644 $$f "$(DESTDIR)$(DOCDIR)/$$f" || exit 1; done
	@echo "  golgi $(VERSION) is in $(DESTDIR)$(PREFIX)"

uninstall:
	$Qrm -f "$(DESTDIR)$(BINDIR)/golgi" "$(DESTDIR)$(LIBDIR)"/libgolgi.a "$(DESTDIR)$(LIBDIR)"/libgolgi.so* "$(DESTDIR)$(LIBDIR)/pkgconfig/golgi.pc" \
	  "$(DESTDIR)$(MANDIR)"/man1/golgi.1 "$(DESTDIR)$(MANDIR)"/man1/golgi-*.1 "$(DESTDIR)$(DATADIR)/bash-completion/completions/golgi" \
	  "$(DESTDIR)$(DATADIR)/zsh/site-functions/_golgi" "$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/golgi.fish"
	$Qrm -rf "$(DESTDIR)$(INCLUDEDIR)/golgi" "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(LIBDIR)/golgi"

# What is committed, nothing else: the tree is the same wherever and whenever it is packed.
dist:
	@git rev-parse --git-dir > /dev/null 2>&1 || { echo "make dist packs a commit, and this folder is no git repository" >&2; exit 1; }
	@git diff --quiet HEAD -- || echo "  note: changes that are not committed are not packed" >&2
	@mkdir -p $B
	$Qgit archive --format=tar --prefix=golgi-$(VERSION)/ HEAD | gzip -9n > $B/golgi-$(VERSION).tar.gz.part
	$Qmv -f $B/golgi-$(VERSION).tar.gz.part $B/golgi-$(VERSION).tar.gz
	@echo "$B/golgi-$(VERSION).tar.gz"
