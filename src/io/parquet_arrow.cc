// Parquet through Arrow C++: the shim behind io/parquet.h. Owns: the translation of Arrow's arrays to JSON rows and back.
//
// Reading: record batches of 1024 rows, one thread, buffered streams, so memory holds a batch and not a row group.
//     text, large text, views, dictionaries, binary    text (repaired to UTF-8)
//     integers; beyond 64 bits signed                  integer; double
//     half, float, double                              double; NaN and infinities, which JSON lacks, null
//     bool, null                                       true / false, null
//     list, large list, fixed list, map                list (a map: of {key, value})
//     struct                                           object
//     dates, times, decimals and the rest              their text as Arrow prints it
// Writing: the schema is what fits all of the first rows: integers and doubles together are doubles, null fits everything; a column that is
// only null becomes text, a list that is only empty a list of integers.
// Traps: Arrow throws from the Parquet side and returns Status from its own; both end at the extern "C" functions. Offsets of nested arrays are
// checked before use: files are hostile until shown otherwise.
#include "io/parquet.h"
#include "base/utf8.h"

#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int64_t batch_rows = 1024;         // rows read at a time
constexpr size_t schema_rows = 1024;         // rows that make the schema
constexpr int64_t schema_bytes = 32 << 20;   // or as many as these
constexpr int64_t group_rows = 64 << 10;     // rows of a row group written
constexpr int64_t group_bytes = 64 << 20;    // or as many as these
constexpr int depth_max = 32;                // lists and objects within each other

struct json_free {
    void operator()(json_t *v) const { json_decref(v); }
};
using json_ptr = std::unique_ptr<json_t, json_free>;

struct failure {
    gg_status status;
    std::string text; // empty: a message is already there
};

json_t *checked(json_t *v)
{
    if (!v)
        throw std::bad_alloc();
    return v;
}

void check(const arrow::Status &s)
{
    if (s.ok())
        return;
    if (s.IsOutOfMemory())
        throw std::bad_alloc();
    std::string text = s.message();
    text = text.substr(0, text.find('\n'));
    throw failure{s.IsNotImplemented() ? GG_EUNSUPPORTED : GG_EFORMAT, "Parquet: " + text};
}

template <class T> T check(arrow::Result<T> r)
{
    check(r.status());
    return std::move(r).ValueUnsafe();
}

// Runs f and turns whatever it throws into a status and a text.
template <class F> gg_status guarded(gg_arrow_error *e, F f) noexcept
{
    const char *text = "";
    std::string held;
    gg_status s = GG_OK;
    try {
        s = f();
    } catch (const failure &x) {
        s = x.status;
        held.swap(const_cast<failure &>(x).text);
        text = held.c_str();
    } catch (const std::bad_alloc &) {
        s = GG_ENOMEM;
        text = "out of memory";
    } catch (const std::exception &x) {
        s = GG_EFORMAT;
        std::snprintf(e->text, sizeof e->text, "Parquet: %.300s", x.what());
        return s;
    } catch (...) {
        s = GG_EINTERNAL;
        text = "Parquet: an unknown exception";
    }
    if (s != GG_OK && s != GG_END)
        std::snprintf(e->text, sizeof e->text, "%.390s", text);
    return s;
}

// --- reading: one value of an array as JSON -------------------------------------------------------------------------

json_t *text_of(std::string_view s, int64_t *repaired)
{
    if (gg_utf8_is_valid(s.data(), s.size()))
        return checked(json_stringn_nocheck(s.data() ? s.data() : "", s.size()));
    std::string fixed(3 * s.size(), '\0');
    size_t n = 0;
    *repaired += gg_utf8_repair(fixed.data(), &n, s.data(), s.size());
    return checked(json_stringn_nocheck(fixed.data(), n));
}

json_t *number_of(double x) { return checked(std::isfinite(x) ? json_real(x) : json_null()); }

json_t *number_of_unsigned(uint64_t x) { return checked(x <= INT64_MAX ? json_integer((json_int_t)x) : json_real((double)x)); }

json_t *value_of(const arrow::Array &a, int64_t i, int64_t *repaired, int depth);

json_t *list_of(const arrow::Array &values, int64_t from, int64_t n, int64_t *repaired, int depth)
{
    if (from < 0 || n < 0 || from > values.length() || n > values.length() - from)
        throw failure{GG_EFORMAT, "Parquet: a list reaches outside its values"};
    json_ptr list(checked(json_array()));
    for (int64_t k = 0; k < n; k++)
        if (json_array_append_new(list.get(), value_of(values, from + k, repaired, depth)) != 0)
            throw std::bad_alloc();
    return list.release();
}

json_t *object_of(const arrow::StructArray &a, int64_t i, int64_t *repaired, int depth)
{
    json_ptr object(checked(json_object()));
    for (int f = 0; f < a.num_fields(); f++)
        if (json_object_set_new(object.get(), a.struct_type()->field(f)->name().c_str(), value_of(*a.field(f), i, repaired, depth)) != 0)
            throw failure{GG_EFORMAT, "Parquet: a member's name is not UTF-8"};
    return object.release();
}

template <class A> double widened(const arrow::Array &a, int64_t i) { return static_cast<double>(static_cast<const A &>(a).Value(i)); }
template <class A> json_t *integer_of(const arrow::Array &a, int64_t i) { return checked(json_integer(static_cast<const A &>(a).Value(i))); }

double half_of(uint16_t h)
{
    int exponent = h >> 10 & 31, mantissa = h & 1023;
    double x = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(mantissa + 1024, exponent - 25);
    return h & 0x8000 ? -x : x;
}

json_t *value_of(const arrow::Array &a, int64_t i, int64_t *repaired, int depth)
{
    using arrow::Type;
    if (i < 0 || i >= a.length())
        throw failure{GG_EFORMAT, "Parquet: a column is shorter than its rows"};
    if (depth > depth_max)
        throw failure{GG_EUNSUPPORTED, "Parquet: lists and objects within each other more than 32 deep"};
    if (a.IsNull(i))
        return json_null();
    switch (a.type_id()) {
    case Type::NA: return json_null();
    case Type::BOOL: return json_boolean(static_cast<const arrow::BooleanArray &>(a).Value(i));
    case Type::INT8: return integer_of<arrow::Int8Array>(a, i);
    case Type::INT16: return integer_of<arrow::Int16Array>(a, i);
    case Type::INT32: return integer_of<arrow::Int32Array>(a, i);
    case Type::INT64: return integer_of<arrow::Int64Array>(a, i);
    case Type::UINT8: return integer_of<arrow::UInt8Array>(a, i);
    case Type::UINT16: return integer_of<arrow::UInt16Array>(a, i);
    case Type::UINT32: return integer_of<arrow::UInt32Array>(a, i);
    case Type::UINT64: return number_of_unsigned(static_cast<const arrow::UInt64Array &>(a).Value(i));
    case Type::HALF_FLOAT: {
        const void *bits = static_cast<const arrow::HalfFloatArray &>(a).raw_values() + i; // 16 bits, whatever this Arrow calls the type
        uint16_t h;
        std::memcpy(&h, bits, 2);
        return number_of(half_of(h));
    }
    case Type::FLOAT: return number_of(widened<arrow::FloatArray>(a, i));
    case Type::DOUBLE: return number_of(widened<arrow::DoubleArray>(a, i));
    case Type::STRING:
    case Type::BINARY: return text_of(static_cast<const arrow::BinaryArray &>(a).GetView(i), repaired);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY: return text_of(static_cast<const arrow::LargeBinaryArray &>(a).GetView(i), repaired);
    case Type::FIXED_SIZE_BINARY: return text_of(static_cast<const arrow::FixedSizeBinaryArray &>(a).GetView(i), repaired);
    case Type::DICTIONARY: {
        const auto &d = static_cast<const arrow::DictionaryArray &>(a);
        return value_of(*d.dictionary(), d.GetValueIndex(i), repaired, depth + 1);
    }
    case Type::LIST:
    case Type::MAP: {
        const auto &l = static_cast<const arrow::ListArray &>(a);
        return list_of(*l.values(), l.value_offset(i), l.value_length(i), repaired, depth + 1);
    }
    case Type::LARGE_LIST: {
        const auto &l = static_cast<const arrow::LargeListArray &>(a);
        return list_of(*l.values(), l.value_offset(i), l.value_length(i), repaired, depth + 1);
    }
    case Type::FIXED_SIZE_LIST: {
        const auto &l = static_cast<const arrow::FixedSizeListArray &>(a);
        return list_of(*l.values(), l.value_offset(i), l.value_length(i), repaired, depth + 1);
    }
    case Type::STRUCT: return object_of(static_cast<const arrow::StructArray &>(a), i, repaired, depth + 1);
    case Type::EXTENSION: return value_of(*static_cast<const arrow::ExtensionArray &>(a).storage(), i, repaired, depth + 1);
    default: return text_of(check(a.GetScalar(i))->ToString(), repaired);
    }
}

// Arrow 12 .. 26 name the same thing in two ways.
template <class R> std::unique_ptr<arrow::RecordBatchReader> batches_of(R *reader, const std::vector<int> &groups)
{
    std::unique_ptr<arrow::RecordBatchReader> out;
    if constexpr (requires { reader->GetRecordBatchReader(groups).ok(); })
        out = check(reader->GetRecordBatchReader(groups));
    else
        check(reader->GetRecordBatchReader(groups, &out));
    return out;
}

std::unique_ptr<parquet::arrow::FileReader> open_file(const char *path)
{
    auto file = arrow::io::ReadableFile::Open(path);
    if (!file.ok() && file.status().IsIOError())
        throw failure{GG_EIO, file.status().message()};
    parquet::ReaderProperties properties;
    properties.enable_buffered_stream();
    properties.set_buffer_size(1 << 20);
    parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
    arrow_properties.set_batch_size(batch_rows);
    arrow_properties.set_pre_buffer(false);
    parquet::arrow::FileReaderBuilder builder;
    std::unique_ptr<parquet::arrow::FileReader> out;
    check(builder.Open(check(std::move(file)), properties));
    check(builder.properties(arrow_properties)->Build(&out));
    return out;
}

} // namespace

struct gg_arrow_reader {
    std::unique_ptr<parquet::arrow::FileReader> file;
    std::unique_ptr<arrow::RecordBatchReader> batches;
    std::shared_ptr<arrow::RecordBatch> batch;
    std::vector<std::shared_ptr<arrow::Array>> columns;
    int64_t at = 0, n_rows = 0;
};

extern "C" gg_status gg_arrow_reader_open(gg_arrow_reader **out, const char *path, gg_rows_part part, gg_arrow_error *e)
{
    *out = nullptr;
    return guarded(e, [&] {
        auto r = std::make_unique<gg_arrow_reader>();
        r->file = open_file(path);
        const auto metadata = r->file->parquet_reader()->metadata();
        const int64_t n = metadata->num_row_groups(), to = part.to ? part.to : n;
        if (to > n)
            throw failure{GG_EFORMAT, "Parquet: " + std::to_string(n) + " row groups, and " + std::to_string(to) + " were there before"};
        std::vector<int> groups;
        for (int64_t g = part.from; g < to; g++) {
            groups.push_back((int)g);
            r->n_rows += metadata->RowGroup((int)g)->num_rows();
        }
        r->batches = batches_of(r->file.get(), groups);
        *out = r.release();
        return GG_OK;
    });
}

extern "C" gg_status gg_arrow_reader_next(gg_arrow_reader *r, json_t **row, int64_t *repaired, gg_arrow_error *e)
{
    *row = nullptr;
    return guarded(e, [&] {
        while (!r->batch || r->at == r->batch->num_rows()) {
            check(r->batches->ReadNext(&r->batch));
            if (!r->batch)
                return GG_END;
            check(r->batch->Validate());
            r->columns = r->batch->columns();
            r->at = 0;
        }
        json_ptr object(checked(json_object()));
        for (size_t c = 0; c < r->columns.size(); c++)
            if (json_object_set_new(object.get(), r->batch->schema()->field((int)c)->name().c_str(), value_of(*r->columns[c], r->at, repaired, 0)) != 0)
                throw failure{GG_EFORMAT, "Parquet: a column's name is not UTF-8"};
        r->at++;
        *row = object.release();
        return GG_OK;
    });
}

extern "C" gg_status gg_arrow_groups(const char *path, gg_status (*each)(void *user, int64_t from, int64_t to), void *user, gg_arrow_error *e)
{
    return guarded(e, [&] {
        const auto file = open_file(path);
        const auto metadata = file->parquet_reader()->metadata();
        for (int g = 0; g < metadata->num_row_groups(); g++) {
            const auto group = metadata->RowGroup(g);
            int64_t from = INT64_MAX, to = 0;
            for (int c = 0; c < group->num_columns(); c++) {
                const auto chunk = group->ColumnChunk(c);
                const int64_t data = chunk->data_page_offset(), start = chunk->has_dictionary_page() && chunk->dictionary_page_offset() > 0
                                                                            ? std::min(data, chunk->dictionary_page_offset()) : data;
                const int64_t bytes = chunk->total_compressed_size();
                if (start < 0 || bytes < 0 || bytes > INT64_MAX - start)
                    throw failure{GG_EFORMAT, "Parquet: a column stands outside the file"};
                from = std::min(from, start);
                to = std::max(to, start + bytes);
            }
            const gg_status s = each(user, from < to ? from : 0, from < to ? to : 0);
            if (s != GG_OK)
                throw failure{s, ""};
        }
        return GG_OK;
    });
}

extern "C" int64_t gg_arrow_reader_rows(const gg_arrow_reader *r) { return r->n_rows; }

extern "C" void gg_arrow_reader_close(gg_arrow_reader *r)
{
    gg_arrow_error ignored;
    guarded(&ignored, [&] {
        delete r;
        return GG_OK;
    });
}

// --- writing: a schema from JSON, then values into builders -----------------------------------------------------------

namespace {

enum class kind { nothing, boolean, integer, real, text, list, object };

const char *kind_name(kind k)
{
    static const char *const names[] = {"null", "a truth value", "an integer", "a number", "a text", "a list", "an object"};
    return names[(int)k];
}

kind kind_of(const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: return kind::object;
    case JSON_ARRAY: return kind::list;
    case JSON_STRING: return kind::text;
    case JSON_INTEGER: return kind::integer;
    case JSON_REAL: return kind::real;
    case JSON_TRUE:
    case JSON_FALSE: return kind::boolean;
    default: return kind::nothing;
    }
}

[[noreturn]] void mismatch(const std::string &path, int64_t row, const std::string &what)
{
    throw failure{GG_EMISMATCH, "row " + std::to_string(row) + ", column " + path + ": " + what};
}

// What the values of a column have been so far.
struct shape {
    kind k = kind::nothing;
    std::string name;
    std::vector<shape> inner; // the item of a list, the members of an object

    void add(const json_t *v, const std::string &path, int64_t row, int depth)
    {
        kind now = kind_of(v);
        if (now == kind::nothing)
            return;
        if (depth > depth_max)
            mismatch(path, row, "lists and objects within each other more than 32 deep");
        if (k == kind::nothing)
            k = now;
        else if ((k == kind::integer && now == kind::real) || (k == kind::real && now == kind::integer))
            k = kind::real;
        else if (k != now)
            mismatch(path, row, std::string(kind_name(now)) + ", but " + kind_name(k) + " in the rows before; Parquet needs one type in a column");
        if (now == kind::list)
            add_items(v, path, row, depth);
        else if (now == kind::object)
            add_members(v, path, row, depth);
    }

    void add_items(const json_t *v, const std::string &path, int64_t row, int depth)
    {
        if (inner.empty())
            inner.emplace_back().name = "element";
        for (size_t i = 0; i < json_array_size(v); i++)
            inner[0].add(json_array_get(v, i), path, row, depth + 1);
    }

    void add_members(const json_t *v, const std::string &path, int64_t row, int depth)
    {
        const char *key;
        json_t *value;
        size_t expected = 0; // members mostly come in the same order
        json_object_foreach(const_cast<json_t *>(v), key, value)
        {
            size_t m = expected < inner.size() && inner[expected].name == key ? expected : 0;
            while (m < inner.size() && inner[m].name != key)
                m++;
            if (m == inner.size())
                inner.emplace_back().name = key;
            inner[m].add(value, path.empty() ? key : path + "." + key, row, depth + 1);
            expected = m + 1;
        }
    }

    std::shared_ptr<arrow::DataType> type(const std::string &path, bool in_list) const
    {
        switch (k) {
        case kind::nothing: return in_list ? arrow::int64() : arrow::utf8();
        case kind::boolean: return arrow::boolean();
        case kind::integer: return arrow::int64();
        case kind::real: return arrow::float64();
        case kind::text: return arrow::utf8();
        case kind::list: return arrow::list(arrow::field("element", inner[0].type(path, true)));
        case kind::object: {
            if (inner.empty())
                throw failure{GG_EUNSUPPORTED, "column " + path + ": objects without members, which Parquet cannot hold"};
            std::vector<std::shared_ptr<arrow::Field>> fields;
            for (const shape &m : inner)
                fields.push_back(arrow::field(m.name, m.type(path.empty() ? m.name : path + "." + m.name, false)));
            return arrow::struct_(fields);
        }
        }
        return nullptr;
    }
};

// Appends v to a builder of the type that its shape gave. Returns about how many bytes that took. The type comes along because
// builder->type() makes a new one at each call.
int64_t append(arrow::ArrayBuilder *b, const arrow::DataType &type, const json_t *v, const std::string &path, int64_t row);

int64_t append_members(arrow::StructBuilder *s, const arrow::DataType &type, const json_t *v, const std::string &path, int64_t row)
{
    check(s->Append());
    int64_t bytes = 1;
    size_t found = 0;
    const auto &fields = type.fields();
    for (int f = 0; f < s->num_fields(); f++) {
        const std::string &name = fields[(size_t)f]->name();
        const json_t *member = json_object_get(v, name.c_str());
        found += member != nullptr;
        bytes += append(s->field_builder(f), *fields[(size_t)f]->type(), member, path.empty() ? name : path + "." + name, row);
    }
    if (found == json_object_size(v))
        return bytes;
    const char *key;
    json_t *value;
    json_object_foreach(const_cast<json_t *>(v), key, value)
    {
        bool known = false;
        for (const auto &field : fields)
            known = known || field->name() == key;
        if (!known)
            mismatch(path.empty() ? key : path + "." + key, row, "not there in the first rows, which make the schema of Parquet");
    }
    return bytes;
}

int64_t append(arrow::ArrayBuilder *b, const arrow::DataType &type, const json_t *v, const std::string &path, int64_t row)
{
    using arrow::Type;
    if (!v || json_is_null(v)) {
        check(b->AppendNull());
        return 8;
    }
    auto fail = [&](const char *expected) { mismatch(path, row, std::string(kind_name(kind_of(v))) + ", but " + expected + " in the first rows"); };
    switch (type.id()) {
    case Type::BOOL:
        if (!json_is_boolean(v))
            fail("a truth value");
        check(static_cast<arrow::BooleanBuilder *>(b)->Append(json_is_true(v)));
        return 1;
    case Type::INT64:
        if (!json_is_integer(v))
            fail("an integer");
        check(static_cast<arrow::Int64Builder *>(b)->Append(json_integer_value(v)));
        return 8;
    case Type::DOUBLE: {
        if (!json_is_number(v))
            fail("a number");
        double x = json_number_value(v);
        if (json_is_integer(v) && (std::fabs(x) >= 0x1p63 || (json_int_t)x != json_integer_value(v)))
            mismatch(path, row, "an integer that a double does not hold exactly, among doubles");
        check(static_cast<arrow::DoubleBuilder *>(b)->Append(x));
        return 8;
    }
    case Type::STRING:
        if (!json_is_string(v))
            fail("a text");
        check(static_cast<arrow::StringBuilder *>(b)->Append(std::string_view(json_string_value(v), json_string_length(v))));
        return 4 + (int64_t)json_string_length(v);
    case Type::LIST: {
        if (!json_is_array(v))
            fail("a list");
        auto *l = static_cast<arrow::ListBuilder *>(b);
        const arrow::DataType &item = *type.field(0)->type();
        check(l->Append());
        int64_t bytes = 4;
        for (size_t i = 0; i < json_array_size(v); i++)
            bytes += append(l->value_builder(), item, json_array_get(v, i), path, row);
        return bytes;
    }
    case Type::STRUCT:
        if (!json_is_object(v))
            fail("an object");
        return append_members(static_cast<arrow::StructBuilder *>(b), type, v, path, row);
    default: throw failure{GG_EINTERNAL, "Parquet: a builder of a type that is never made"};
    }
}

// Arrow's output stream over golgi's own file.
class sink_stream : public arrow::io::OutputStream {
  public:
    sink_stream(gg_arrow_sink sink, void *user) : sink_(sink), user_(user) {}
    arrow::Status Close() override
    {
        closed_ = true;
        return arrow::Status::OK();
    }
    bool closed() const override { return closed_; }
    arrow::Result<int64_t> Tell() const override { return at_; }
    arrow::Status Write(const void *data, int64_t n) override
    {
        if (failed == GG_OK)
            failed = sink_(user_, data, (size_t)n);
        at_ += n;
        return failed == GG_OK ? arrow::Status::OK() : arrow::Status::IOError("the file cannot be written");
    }
    using arrow::io::OutputStream::Write;
    gg_status failed = GG_OK; // of the sink, which has left its message

  private:
    gg_arrow_sink sink_;
    void *user_;
    int64_t at_ = 0;
    bool closed_ = false;
};

} // namespace

struct gg_arrow_writer {
    std::shared_ptr<sink_stream> sink;
    shape root;
    std::vector<json_ptr> first; // copies, until the schema is made
    int64_t first_bytes = 0;
    std::shared_ptr<arrow::DataType> type; // of a row: a struct
    std::shared_ptr<arrow::Schema> schema;
    std::unique_ptr<parquet::arrow::FileWriter> file;
    std::unique_ptr<arrow::ArrayBuilder> rows; // of type
    int64_t n_rows = 0, group = 0, bytes = 0;

    void make_schema()
    {
        type = root.inner.empty() ? arrow::struct_(std::vector<std::shared_ptr<arrow::Field>>{}) : root.type("", false);
        schema = arrow::schema(type->fields());
        parquet::WriterProperties::Builder properties;
        properties.compression(arrow::util::Codec::IsAvailable(arrow::Compression::ZSTD) ? arrow::Compression::ZSTD : arrow::Compression::UNCOMPRESSED);
        file = check(parquet::arrow::FileWriter::Open(*schema, arrow::default_memory_pool(), sink, properties.build()));
        check(arrow::MakeBuilder(arrow::default_memory_pool(), type, &rows));
        int64_t row = 0;
        for (const json_ptr &v : first)
            put(v.get(), ++row);
        first.clear();
    }

    void put(const json_t *v, int64_t row)
    {
        bytes += append_members(static_cast<arrow::StructBuilder *>(rows.get()), *type, v, "", row);
        if (++group >= group_rows || bytes >= group_bytes)
            write_group();
    }

    void write_group()
    {
        std::shared_ptr<arrow::Array> a;
        check(rows->Finish(&a));
        const auto &s = static_cast<const arrow::StructArray &>(*a);
        auto table = arrow::Table::Make(schema, s.fields(), a->length());
        if (a->length() > 0 && schema->num_fields() > 0)
            check(file->WriteTable(*table, group_rows));
        group = bytes = 0;
    }
};

// A failure of the sink has its own message: Arrow's is put away.
template <class F> static gg_status guarded_writer(gg_arrow_writer *w, gg_arrow_error *e, F f)
{
    gg_status s = guarded(e, f);
    if (s != GG_OK && w->sink->failed != GG_OK) {
        e->text[0] = 0;
        return w->sink->failed;
    }
    return s;
}

extern "C" gg_status gg_arrow_writer_open(gg_arrow_writer **out, gg_arrow_sink sink, void *user, gg_arrow_error *e)
{
    *out = nullptr;
    return guarded(e, [&] {
        auto w = std::make_unique<gg_arrow_writer>();
        w->sink = std::make_shared<sink_stream>(sink, user);
        w->root.k = kind::object;
        *out = w.release();
        return GG_OK;
    });
}

extern "C" gg_status gg_arrow_writer_add(gg_arrow_writer *w, const json_t *row, gg_arrow_error *e)
{
    return guarded_writer(w, e, [&] {
        int64_t number = w->n_rows + 1;
        if (w->schema) {
            w->put(row, number);
        } else {
            w->root.add(row, "", number, 0);
            w->first.emplace_back(checked(json_deep_copy(row)));
            const char *key;
            json_t *value;
            json_object_foreach(const_cast<json_t *>(row), key, value)
                w->first_bytes += json_is_string(value) ? (int64_t)json_string_length(value) : 64;
            if (w->first.size() == schema_rows || w->first_bytes >= schema_bytes)
                w->make_schema();
        }
        w->n_rows++;
        return GG_OK;
    });
}

extern "C" gg_status gg_arrow_writer_finish(gg_arrow_writer *w, gg_arrow_error *e)
{
    return guarded_writer(w, e, [&] {
        if (!w->schema)
            w->make_schema();
        w->write_group();
        check(w->file->Close());
        return GG_OK;
    });
}

extern "C" void gg_arrow_writer_free(gg_arrow_writer *w)
{
    gg_arrow_error ignored;
    guarded(&ignored, [&] {
        delete w;
        return GG_OK;
    });
}
