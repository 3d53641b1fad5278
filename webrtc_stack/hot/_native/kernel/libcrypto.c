/* Finding libcrypto: what Python's own modules have loaded comes first, so that a process has one of it. */
#if !defined(_WIN32)
#define _GNU_SOURCE /* dladdr */
#endif
#include "libcrypto.h"

#include <stdio.h>

#if defined(_WIN32)

int libcrypto_open(libcrypto *lib) {
    memset(lib, 0, sizeof *lib);
    snprintf(lib->text, sizeof lib->text, "it is not looked for on this platform");
    return 0;
}

void libcrypto_close(libcrypto *lib) {
    memset(lib, 0, sizeof *lib);
}

#else

#include <dlfcn.h>

static const char *const names[] = {
#if defined(__APPLE__)
    /* Never the bare name: the system's own ends the process that loads it. */
    "libcrypto.3.dylib",
    "@rpath/libcrypto.3.dylib",
    "/opt/homebrew/opt/openssl@3/lib/libcrypto.3.dylib",
    "/usr/local/opt/openssl@3/lib/libcrypto.3.dylib",
    "/opt/local/lib/libcrypto.3.dylib",
    "libcrypto.1.1.dylib",
    "/opt/homebrew/opt/openssl@1.1/lib/libcrypto.1.1.dylib",
    "/usr/local/opt/openssl@1.1/lib/libcrypto.1.1.dylib",
#else
    "libcrypto.so.3",
    "libcrypto.so.1.1",
    "libcrypto.so",
#endif
};
#define NAMES (sizeof names / sizeof *names)

typedef struct {
    void *handle;
    const char *missing; /* the first name that was not there */
} finder;

static int has(finder *find, const char *name, void *to) {
    void *symbol = dlsym(find->handle, name);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void need(finder *find, const char *name, void *to) {
    if (!has(find, name, to) && find->missing == NULL)
        find->missing = name;
}

static const void *made(finder *find, const char *name) {
    const void *(*maker)(void);
    need(find, name, &maker);
    return maker ? maker() : NULL;
}

/* Version 3 looks an algorithm up each time it is named; fetched once, it does so once. */
static const void *fetched(finder *find, const char *fetch, const char *algorithm, const char *maker) {
    void *(*fetcher)(void *library, const char *algorithm, const char *properties);
    const void *found = has(find, fetch, &fetcher) ? fetcher(NULL, algorithm, NULL) : NULL;
    return found ? found : made(find, maker);
}

/* --- the functions of a provider ---------------------------------------------------------------------------------- */

typedef struct {
    int id;
    void (*function)(void);
} dispatch; /* OSSL_DISPATCH */

typedef struct {
    const char *names, *properties;
    const dispatch *functions;
    const char *description;
} offer; /* OSSL_ALGORITHM */

#define CIPHERS 2 /* OSSL_OP_CIPHER */

/* Function `id` of a table, or NULL. */
static int take(const dispatch *functions, int id, void *to) {
    void *found = NULL;
    for (; functions->id; functions++)
        if (functions->id == id)
            memcpy(&found, &functions->function, sizeof found);
    memcpy(to, &found, sizeof found);
    return found != NULL;
}

/* Asks the provider of a cipher for its table of functions. Where anything is not as expected, EVP stays in use. */
static void fill_direct(aes_algorithm *cipher, finder *find, const char *name) {
    const void *(*provider_of)(const evp_cipher *);
    const offer *(*query)(const void *provider, int operation, int *no_cache);
    void *(*context_of)(const void *provider);
    if (!has(find, "EVP_CIPHER_get0_provider", &provider_of) ||
        !has(find, "OSSL_PROVIDER_query_operation", &query) ||
        !has(find, "OSSL_PROVIDER_get0_provider_ctx", &context_of))
        return;
    int no_cache = 0;
    const void *provider = provider_of(cipher->evp);
    const offer *found = provider ? query(provider, CIPHERS, &no_cache) : NULL;
    size_t length = strlen(name);
    while (found && found->names &&
           (strncmp(found->names, name, length) != 0 || (found->names[length] != ':' && found->names[length] != 0)))
        found++;
    if (found == NULL || found->names == NULL || no_cache)
        return;
    cipher->provider = context_of(provider);
    /* The numbers of OSSL_FUNC_CIPHER_NEWCTX, FREECTX, and so on. */
    if (!take(found->functions, 7, &cipher->free) || !take(found->functions, 2, &cipher->encrypt_init) ||
        !take(found->functions, 3, &cipher->decrypt_init) || !take(found->functions, 4, &cipher->update) ||
        !take(found->functions, 5, &cipher->final) || !take(found->functions, 10, &cipher->get) ||
        !take(found->functions, 11, &cipher->set) || !take(found->functions, 1, &cipher->make))
        cipher->make = NULL;
}

static void fill_aes(aes_algorithm *cipher, finder *find, const char *name, const char *maker, size_t key_bytes,
                     size_t nonce_bytes) {
    cipher->key_bytes = key_bytes;
    cipher->nonce_bytes = nonce_bytes;
    cipher->evp = fetched(find, "EVP_CIPHER_fetch", name, maker);
    if (cipher->evp == NULL)
        find->missing = name;
    else
        fill_direct(cipher, find, name);
}

static void fill(libcrypto *lib, finder *find) {
    static const char *const ctr[] = {"AES-128-CTR", "AES-192-CTR", "AES-256-CTR"};
    static const char *const gcm[] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"};
    static const char *const ctr_makers[] = {"EVP_aes_128_ctr", "EVP_aes_192_ctr", "EVP_aes_256_ctr"};
    static const char *const gcm_makers[] = {"EVP_aes_128_gcm", "EVP_aes_192_gcm", "EVP_aes_256_gcm"};
    need(find, "EVP_CIPHER_CTX_new", &lib->cipher_new);
    need(find, "EVP_CIPHER_CTX_free", &lib->cipher_free);
    need(find, "EVP_CipherInit_ex", &lib->cipher_init);
    need(find, "EVP_EncryptInit_ex", &lib->encrypt_init);
    need(find, "EVP_DecryptInit_ex", &lib->decrypt_init);
    need(find, "EVP_EncryptUpdate", &lib->encrypt_update);
    need(find, "EVP_DecryptUpdate", &lib->decrypt_update);
    need(find, "EVP_EncryptFinal_ex", &lib->encrypt_final);
    need(find, "EVP_DecryptFinal_ex", &lib->decrypt_final);
    need(find, "EVP_CIPHER_CTX_ctrl", &lib->cipher_ctrl);
    need(find, "EVP_MD_CTX_new", &lib->md_new);
    need(find, "EVP_MD_CTX_free", &lib->md_free);
    need(find, "EVP_DigestInit_ex", &lib->md_init);
    need(find, "EVP_DigestUpdate", &lib->md_update);
    need(find, "EVP_DigestFinal_ex", &lib->md_final);
    need(find, "EVP_MD_CTX_copy_ex", &lib->md_copy);
    need(find, "OPENSSL_cleanse", &lib->cleanse);
    if (!has(find, "SHA1_Init", &lib->sha1_init) || !has(find, "SHA1_Update", &lib->sha1_update) ||
        !has(find, "SHA1_Final", &lib->sha1_final))
        lib->sha1_init = NULL;
    if (find->missing)
        return;
    for (size_t i = 0; i < AES_SIZES; i++) {
        fill_aes(&lib->aes_ctr[i], find, ctr[i], ctr_makers[i], 16 + 8 * i, 16);
        fill_aes(&lib->aes_gcm[i], find, gcm[i], gcm_makers[i], 16 + 8 * i, 12);
    }
    lib->sha1 = fetched(find, "EVP_MD_fetch", "SHA1", "EVP_sha1");
    if (lib->sha1 == NULL)
        find->missing = "SHA1";
}

static void *load(void) {
    void *handle = NULL;
#if defined(RTLD_NOLOAD)
    for (size_t i = 0; i < NAMES && handle == NULL; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
#endif
    for (size_t i = 0; i < NAMES && handle == NULL; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return handle;
}

int libcrypto_open(libcrypto *lib) {
    memset(lib, 0, sizeof *lib);
    finder find = {load(), NULL};
    if (find.handle == NULL) {
        snprintf(lib->text, sizeof lib->text, "there is no libcrypto (%s and others were tried)", names[0]);
        return 0;
    }
    const char *(*version)(int);
    need(&find, "OpenSSL_version", &version);
    fill(lib, &find);
    Dl_info place = {0};
    if (version)
        dladdr((const void *)(uintptr_t)version, &place);
    const char *where = place.dli_fname ? place.dli_fname : "somewhere";
    char text[sizeof lib->text];
    if (find.missing) {
        snprintf(text, sizeof text, "the libcrypto in %s has no %s", where, find.missing);
        libcrypto_close(lib);
        memcpy(lib->text, text, sizeof text);
        dlclose(find.handle);
        return 0;
    }
    snprintf(lib->text, sizeof lib->text, "%s (%s)", version(0), where);
    lib->handle = find.handle;
    return 1;
}

void libcrypto_close(libcrypto *lib) {
    /* The library stays: what was fetched from it is its own, and others in this process may use it. */
    memset(lib, 0, sizeof *lib);
}

#endif

int libcrypto_equal(const uint8_t *a, const uint8_t *b, size_t size) {
    volatile uint8_t differing = 0;
    for (size_t i = 0; i < size; i++)
        differing = (uint8_t)(differing | (a[i] ^ b[i]));
    return differing == 0;
}
