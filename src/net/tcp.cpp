#include "net/tcp.h"

#include "net/socket.h"

namespace crossover::net {
namespace {

class TcpStream final : public ByteStream {
  public:
    explicit TcpStream(Socket socket) noexcept : socket_(std::move(socket)) {}

    std::size_t read_some(std::span<std::byte> buffer, Deadline deadline) override {
        while (true) {
            const Socket::Attempt attempt = socket_.try_read(buffer);
            if (attempt.progress == Socket::Progress::done) return attempt.bytes;
            if (attempt.progress != Socket::Progress::would_block)
                throw socket_.lost("reading from", attempt);
            socket_.wait(Socket::Ready::read, deadline, "reading from");
        }
    }

    void write(std::span<const std::byte> bytes, Deadline deadline) override {
        while (!bytes.empty()) {
            const Socket::Attempt attempt = socket_.try_write(bytes);
            if (attempt.progress == Socket::Progress::done) {
                bytes = bytes.subspan(attempt.bytes);
            } else if (attempt.progress == Socket::Progress::would_block) {
                socket_.wait(Socket::Ready::write, deadline, "writing to");
            } else {
                throw socket_.lost("writing to", attempt);
            }
        }
    }

    void shutdown() noexcept override { socket_.shutdown(); }
    const std::string& peer() const noexcept override { return socket_.peer(); }
    bool idle_and_open() noexcept override { return socket_.quiet(); }

  private:
    Socket socket_;
};

}  // namespace

std::unique_ptr<ByteStream> tcp_connect(const std::string& host, std::uint16_t port, Deadline deadline,
                                        System system) {
    return std::make_unique<TcpStream>(Socket::connect(host, port, deadline, system));
}

}  // namespace crossover::net
